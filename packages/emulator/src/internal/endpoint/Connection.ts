/**
 * What faults do to a connection itself. On a port that is done to the socket; in process it becomes the error that
 * undici would give to a client of a port.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"

/** How it ends: `refused` before the request is read, the others after everything written was sent. */
export type Break = "refused" | "not-http" | "reset" | "reset-within-headers" | "closed"

/** Only occurs in process, with the code and the message of undici's error. */
export class BrokenConnection extends Data.TaggedError("BrokenConnection")<{
  readonly message: string
  readonly code: string
  readonly syscall?: string
}> {}

export type Bytes = Stream.Stream<Uint8Array, BrokenConnection>

export class Connection extends Context.Service<
  Connection,
  {
    /** Ends the connection. */
    readonly break: (how: Break) => Effect.Effect<never, BrokenConnection>
    /** Sends the head of the reply before any of its body exists. */
    readonly sendHead: Effect.Effect<void>
    /** A body with a `content-length` that is not its own. */
    readonly misframed: (body: Uint8Array, contentLength: number) => Bytes
  }
>()("@effect-gradient/emulator/Connection") {}
