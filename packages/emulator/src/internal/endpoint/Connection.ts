/**
 * The client's connection, which faults can break. On a port, breaking it closes the socket. In process, it makes the
 * request, or the body of its reply, fail because of a `BrokenConnection`.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"

/**
 * How a fault breaks a connection. On a port, `refused` closes it at once, the others after everything that was written
 * has been sent.
 */
export type BreakKind = "refused" | "not-http" | "reset" | "reset-within-headers" | "closed"

/**
 * The error of a request in process whose connection was broken. It has the code of the error that undici would give.
 * On a port it does not occur, because the socket itself is broken.
 */
export class BrokenConnection extends Data.TaggedError("BrokenConnection")<{
  readonly message: string
  readonly code: string
  readonly syscall?: string
}> {}

export type Bytes = Stream.Stream<Uint8Array, BrokenConnection>

export class Connection extends Context.Service<
  Connection,
  {
    readonly break: (kind: BreakKind) => Effect.Effect<never, BrokenConnection>
    /** Sends the status and headers of the reply, before there is a body. In process it does nothing. */
    readonly sendHeaders: Effect.Effect<void>
    /**
     * Makes the bytes of a body that is sent with a wrong `content-length`. If that is larger than the body, the
     * connection is broken after the body.
     */
    readonly withWrongLength: (body: Uint8Array, contentLength: number) => Bytes
  }
>()("@effect-gradient/emulator/Connection") {}
