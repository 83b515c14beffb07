/**
 * What can be done to a connection that no response can say: the one service that differs between a port and a client
 * in process, where a broken connection is the error that a client of a port would meet.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"

/** How it ends: `refused` before the request is read, the others once what was written is out. */
export type Break = "refused" | "reset" | "reset-within-headers" | "closed"

/** Met in process alone, with the code and the words that undici's error would have. */
export class BrokenConnection extends Data.TaggedError("BrokenConnection")<{
  readonly message: string
  readonly code: string
  readonly syscall?: string
}> {}

export type Bytes = Stream.Stream<Uint8Array, BrokenConnection>

export class Connection extends Context.Service<
  Connection,
  {
    /** Ends the connection; nothing comes after it. */
    readonly break: (how: Break) => Effect.Effect<never, BrokenConnection>
    /** Sends the head of the reply, before there is anything of its body. */
    readonly sendHead: Effect.Effect<void>
    /** The body of a reply whose `content-length` is another than the body's. */
    readonly misframed: (body: Uint8Array, contentLength: number) => Bytes
  }
>()("@effect-gradient/emulator/Connection") {}
