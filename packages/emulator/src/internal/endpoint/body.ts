/** What faults do to the bytes of a reply, whatever it says. */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import { constants, createGzip } from "node:zlib"
import type { Fault } from "../../Fault.ts"
import { type BrokenConnection, type Bytes, Connection } from "./Connection.ts"

/** Does something once `at` bytes have passed; at the end, where there are fewer. */
const doAt = (body: Bytes, at: number, what: Effect.Effect<void, BrokenConnection>): Bytes =>
  Stream.suspend(() => {
    let left = at
    let done = false
    const effect = Stream.suspend(() => {
      if (done) return Stream.empty
      done = true
      return Stream.fromEffectDrain(what)
    })
    const passing = Stream.flatMap(body, (chunk) => {
      if (done || chunk.length < left) {
        left -= chunk.length
        return Stream.succeed(chunk)
      }
      return Stream.concat(
        Stream.concat(Stream.succeed(chunk.subarray(0, left)), effect),
        Stream.succeed(chunk.subarray(left))
      )
    })
    return Stream.concat(passing, effect)
  }).pipe(Stream.filter((chunk) => chunk.length > 0))

const newline = Uint8Array.of(10)

/** Newlines for a time, which mean nothing in JSON and between events. */
const padding = (time: Duration.Duration): Bytes =>
  Stream.fromEffectRepeat(Effect.as(Effect.sleep(Duration.times(time, 0.1)), newline)).pipe(Stream.take(10))

/** In turn with whatever else there is to do, so that each byte is a write of its own. */
const oneByOne = (body: Bytes): Bytes =>
  body.pipe(
    Stream.flatMap((chunk) => Stream.fromIterable(chunk, { chunkSize: 1 })),
    Stream.mapEffect((byte) => Effect.as(Effect.yieldNow, Uint8Array.of(byte)))
  )

const zipped = (body: Bytes): Bytes =>
  body.pipe(
    NodeStream.pipeThroughSimple(() => createGzip({ flush: constants.Z_SYNC_FLUSH })),
    Stream.catchTag("UnknownError", Stream.die)
  )

/** The body as the fault lets it through; `undefined` where it does nothing to bytes. */
const damaged = (body: Bytes, fault: Fault | undefined, connection: Connection["Service"]): Bytes | undefined => {
  switch (fault?._tag) {
    case "reset-body":
      return doAt(body, fault.at, connection.break("reset"))
    case "stall-body":
      return doAt(body, fault.at, Effect.sleep(fault.for))
    case "slow":
      return Stream.concat(padding(fault.for), body)
    case "one-byte":
      return oneByOne(body)
    case "gzip":
      return zipped(body)
    default:
      return undefined
  }
}

const changesLength = (fault: Fault | undefined) => fault?._tag === "slow" || fault?._tag === "gzip"

/** A reply with this body, which has a `content-length` where all of it is there already. */
export const respond = Effect.fnUntraced(function* (
  body: Uint8Array | Stream.Stream<Uint8Array>,
  contentType: string,
  fault: Fault | undefined
) {
  const connection = yield* Connection
  if (fault?._tag === "content-length") {
    const bytes = body instanceof Uint8Array ? body : yield* Stream.mkUint8Array(body)
    const contentLength = Math.max(0, bytes.length + fault.by)
    return HttpServerResponse.stream(connection.misframed(bytes, contentLength), { contentType, contentLength })
  }
  const bytes = body instanceof Uint8Array ? Stream.succeed(body) : body
  const stream = damaged(bytes, fault, connection)
  if (stream === undefined && body instanceof Uint8Array) return HttpServerResponse.uint8Array(body, { contentType })
  return HttpServerResponse.stream(Stream.concat(Stream.fromEffectDrain(connection.sendHead), stream ?? bytes), {
    contentType,
    contentLength: body instanceof Uint8Array && !changesLength(fault) ? body.length : undefined,
    headers: fault?._tag === "gzip" ? { "content-encoding": "gzip" } : {}
  })
})
