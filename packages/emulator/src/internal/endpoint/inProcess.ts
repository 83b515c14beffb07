/**
 * The connection of a client in process. If a fault breaks the connection, the request, or the body of its reply, fails
 * because of an error that has the code of undici's error.
 */
import { GradientClient } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type BreakKind, BrokenConnection, Connection } from "./Connection.ts"

const reset = { message: "read ECONNRESET", code: "ECONNRESET", syscall: "read" }

const errors: { readonly [kind in BreakKind]: ConstructorParameters<typeof BrokenConnection>[0] } = {
  "not-http": { message: "Parse Error: Expected HTTP/, RTSP/ or ICE/", code: "HPE_INVALID_CONSTANT" },
  refused: { message: "connect ECONNREFUSED", code: "ECONNREFUSED", syscall: "connect" },
  reset,
  "reset-within-headers": reset,
  closed: { message: "other side closed", code: "UND_ERR_SOCKET" }
}

const broken = (kind: BreakKind): BrokenConnection => {
  const error = new BrokenConnection(errors[kind])
  if (kind === "refused") GradientClient.markNotSent(error)
  return error
}

export const connection = Connection.of({
  break: (kind) => Effect.suspend(() => Effect.fail(broken(kind))),
  sendHeaders: Effect.void,
  // A real client reads no more bytes than `content-length` says, so a longer body is cut off.
  withWrongLength: (body, contentLength) =>
    contentLength <= body.length
      ? Stream.succeed(body.subarray(0, contentLength))
      : Stream.concat(
          Stream.succeed(body),
          Stream.suspend(() => Stream.fail(broken("closed")))
        )
})
