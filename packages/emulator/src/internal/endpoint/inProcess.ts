/** A connection in process: breaking it fails with the error that undici would give. */
import { GradientClient } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Break, BrokenConnection, Connection } from "./Connection.ts"

const reset = { message: "read ECONNRESET", code: "ECONNRESET", syscall: "read" }

const errors: { readonly [how in Break]: ConstructorParameters<typeof BrokenConnection>[0] } = {
  "not-http": { message: "Parse Error: Expected HTTP/, RTSP/ or ICE/", code: "HPE_INVALID_CONSTANT" },
  refused: { message: "connect ECONNREFUSED", code: "ECONNREFUSED", syscall: "connect" },
  reset,
  "reset-within-headers": reset,
  closed: { message: "other side closed", code: "UND_ERR_SOCKET" }
}

const broken = (how: Break): BrokenConnection => {
  const error = new BrokenConnection(errors[how])
  if (how === "refused") GradientClient.markNotSent(error)
  return error
}

export const connection = Connection.of({
  break: (how) => Effect.suspend(() => Effect.fail(broken(how))),
  sendHead: Effect.void,
  // A client reads only as many bytes as the head promises.
  misframed: (body, contentLength) =>
    contentLength <= body.length
      ? Stream.succeed(body.subarray(0, contentLength))
      : Stream.concat(
          Stream.succeed(body),
          Stream.suspend(() => Stream.fail(broken("closed")))
        )
})
