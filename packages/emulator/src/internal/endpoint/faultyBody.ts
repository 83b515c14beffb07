/** Applies the faults that change the bytes and headers of a reply, without looking into its text. */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import type { Duplex } from "node:stream"
import * as Zlib from "node:zlib"
import type { Fault } from "../../Fault.ts"
import { type BrokenConnection, type Bytes, Connection } from "./Connection.ts"

/** Runs an effect after `at` bytes of the body, or at the end of a body that is shorter. */
const runAt = (body: Bytes, at: number, action: Effect.Effect<void, BrokenConnection>): Bytes =>
  Stream.suspend(() => {
    let left = at
    let done = false
    const effect = Stream.suspend(() => {
      if (done) return Stream.empty
      done = true
      return Stream.fromEffectDrain(action)
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

/** Sends 10 newlines, spread over this time. Parsers of JSON and of event streams ignore them. */
const padding = (time: Duration.Duration): Bytes =>
  Stream.fromEffectRepeat(Effect.as(Effect.sleep(Duration.times(time, 0.1)), newline)).pipe(Stream.take(10))

/**
 * Splits the body into single bytes. It yields to other fibers after each byte, so that each is sent by its own write.
 */
const oneByOne = (body: Bytes): Bytes =>
  body.pipe(
    Stream.flatMap((chunk) => Stream.fromIterable(chunk, { chunkSize: 1 })),
    Stream.mapEffect((byte) => Effect.as(Effect.yieldNow, Uint8Array.of(byte)))
  )

const flush = Zlib.constants.Z_SYNC_FLUSH

const encoders: { readonly [encoding: string]: () => Duplex } = {
  gzip: () => Zlib.createGzip({ flush }),
  deflate: () => Zlib.createDeflate({ flush }),
  "deflate-raw": () => Zlib.createDeflateRaw({ flush }),
  br: () => Zlib.createBrotliCompress({ flush: Zlib.constants.BROTLI_OPERATION_FLUSH }),
  zstd: () => Zlib.createZstdCompress({ flush: Zlib.constants.ZSTD_e_flush })
}

/** Encodes the body with each of these encodings, one after the other. Also returns the `content-encoding` header. */
export const encoded = (
  body: Bytes,
  encodings: string | undefined
): { readonly stream: Bytes; readonly header: Readonly<Record<string, string>> } => {
  if (encodings === undefined) return { stream: body, header: {} }
  const list = encodings.split(",")
  const stream = list.reduce((bytes, encoding) => {
    const encoder = encoders[encoding]
    if (encoder === undefined) return bytes
    return bytes.pipe(NodeStream.pipeThroughSimple(encoder), Stream.catchTag("UnknownError", Stream.die))
  }, body)
  // HTTP has no name for raw deflate: servers that send it name it deflate.
  const header = { "content-encoding": list.join(", ").replaceAll("deflate-raw", "deflate") }
  return { stream, header }
}

/** Returns the content type that a fault names. `none` becomes an empty text, for which no header is sent. */
export const contentTypeOf = (type: string): string => (type === "none" ? "" : type)

/** Sets the body. Removes the header `content-type` if the body's type is empty. */
export const setBody = (
  response: HttpServerResponse.HttpServerResponse,
  body: HttpBody.Stream | HttpBody.Uint8Array
): HttpServerResponse.HttpServerResponse => {
  const complete = HttpServerResponse.setBody(response, body)
  return body.contentType === "" ? HttpServerResponse.removeHeader(complete, "content-type") : complete
}

/** Applies the fault to the body, if it is `reset-body`, `stall-body`, `slow` or `one-byte`. */
const damaged = (body: Bytes, fault: Fault | undefined, connection: Connection["Service"]): Bytes => {
  switch (fault?._tag) {
    case "reset-body":
      return runAt(body, fault.at, connection.break("reset"))
    case "stall-body":
      return runAt(body, fault.at, Effect.sleep(fault.for))
    case "slow":
      return Stream.concat(padding(fault.for), body)
    case "one-byte":
      return oneByOne(body)
    default:
      return body
  }
}

/**
 * Makes the reply with this body. If `body` is an array of bytes, the reply has a `content-length`, unless the fault is
 * `content-encoding` or `slow`. With the fault `content-length`, any reply has one, which is wrong by the fault's
 * number of bytes. The body is always sent as a stream, because otherwise the emulator would not notice that the client
 * has left.
 */
export const respond = Effect.fnUntraced(function* (
  body: Uint8Array | Stream.Stream<Uint8Array>,
  contentType: string,
  fault: Fault | undefined
) {
  const connection = yield* Connection
  if (fault?._tag === "content-length") {
    const bytes = body instanceof Uint8Array ? body : yield* Stream.mkUint8Array(body)
    const contentLength = Math.max(0, bytes.length + fault.by)
    return HttpServerResponse.stream(connection.withWrongLength(bytes, contentLength), { contentType, contentLength })
  }
  const bytes = body instanceof Uint8Array ? Stream.succeed(body) : body
  const encodings = fault?._tag === "content-encoding" ? fault.encoding : undefined
  const { header, stream } = encoded(damaged(bytes, fault, connection), encodings)
  const changesLength = encodings !== undefined || fault?._tag === "slow"
  return setBody(
    HttpServerResponse.empty({
      status: 200,
      headers: fault?._tag === "large-head" ? { "x-padding": "a".repeat(fault.bytes) } : header
    }),
    HttpBody.stream(
      Stream.concat(Stream.fromEffectDrain(connection.sendHeaders), stream),
      fault?._tag === "content-type" ? contentTypeOf(fault.type) : contentType,
      body instanceof Uint8Array && !changesLength ? body.length : undefined
    )
  )
})
