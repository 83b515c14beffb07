/**
 * Decodes a body as its `content-encoding` says. By default, requests do not ask for an encoding, but a server may use
 * one anyway, and the image may be paid for.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type { Duplex } from "node:stream"
import * as zlib from "node:zlib"

type Body<E> = Stream.Stream<Uint8Array, E>
type Decoder = <E>(body: Body<E>, onError: (cause: unknown) => E) => Body<E>

// With gzip, deflate or Brotli, a truncated body is decoded as far as possible, as browsers do. The decoded text shows
// whether it is complete.
const lenient = { flush: zlib.constants.Z_SYNC_FLUSH, finishFlush: zlib.constants.Z_SYNC_FLUSH }
const lenientBrotli = {
  flush: zlib.constants.BROTLI_OPERATION_FLUSH,
  finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH
}

/** Makes a decoder that reads one chunk at a time. By default, one pull would buffer up to 4096 chunks. */
const through =
  (make: () => Duplex): Decoder =>
  (body, onError) =>
    NodeStream.pipeThroughDuplex(body, { evaluate: make, onError, chunkSize: 1 })

const gunzip = through(() => zlib.createGunzip(lenient))
const inflate = through(() => zlib.createInflate(lenient))
const inflateRaw = through(() => zlib.createInflateRaw(lenient))

/**
 * Decodes `deflate`. That is zlib's format, but some servers leave out zlib's header. The first byte shows whether
 * there is a header.
 */
const inflateEither: Decoder = (body, onError) =>
  Stream.unwrap(
    Effect.map(Stream.peel(body, Sink.head()), ([first, rest]) => {
      if (Option.isNone(first)) return rest
      const hasHeader = ((first.value[0] ?? 0) & 0x0f) === 8
      return (hasHeader ? inflate : inflateRaw)(Stream.concat(Stream.succeed(first.value), rest), onError)
    })
  )

/**
 * Whether a body begins with plain ASCII. At least 16 bytes are needed, and at most 64 are checked. Compressed data
 * almost always has other bytes among them.
 */
const isPlain = (bytes: Uint8Array) =>
  bytes.length >= 16 &&
  bytes.subarray(0, 64).every((byte) => (byte >= 32 && byte < 127) || byte === 9 || byte === 10 || byte === 13)

/**
 * Makes a decoder that returns a plain text unchanged, because some proxies decode a body but keep its
 * `content-encoding`.
 */
const unlessPlain =
  (decode: Decoder): Decoder =>
  (body, onError) =>
    Stream.unwrap(
      Effect.map(Stream.peel(body, Sink.head()), ([first, rest]) => {
        if (Option.isNone(first)) return rest
        const whole = Stream.concat(Stream.succeed(first.value), rest)
        return isPlain(first.value) ? whole : decode(whole, onError)
      })
    )

const decoders = new Map<string, Decoder>([
  ["gzip", unlessPlain(gunzip)],
  ["x-gzip", unlessPlain(gunzip)],
  ["deflate", unlessPlain(inflateEither)],
  ["br", unlessPlain(through(() => zlib.createBrotliDecompress(lenientBrotli)))],
  ["zstd", unlessPlain(through(() => zlib.createZstdDecompress()))]
])

/**
 * The maximum number of encodings of one body. Real servers use at most two. Each encoding can multiply the size by
 * more than 1000.
 */
const mostDecoders = 5

class CannotDecodeError extends Error {
  readonly code = "ERR_CONTENT_ENCODING"
}

/** Whether a body begins like text: without control characters other than white space. */
const isText = (bytes: Uint8Array) => bytes.subarray(0, 512).every((byte) => byte >= 32 || (byte >= 9 && byte <= 13))

/**
 * Decodes the body, only as fast as it is consumed. Some servers send an encoding that does not exist, such as `utf-8`.
 * With an unknown encoding, a body that begins like text is returned unchanged, and any other body fails. A body with
 * more than `mostDecoders` encodings always fails.
 */
export const decoded = <E>(
  body: Body<E>,
  contentEncoding: string | undefined,
  onError: (cause: unknown) => E
): Body<E> => {
  if (contentEncoding === undefined) return body
  const names = contentEncoding.split(",").map((name) => name.trim().toLowerCase())
  const encodings = names.filter((name) => name !== "" && name !== "identity")
  const known = encodings.flatMap((name) => decoders.get(name) ?? [])
  const cannotDecode = () => onError(new CannotDecodeError(`content-encoding "${contentEncoding}" cannot be decoded`))
  if (encodings.length > mostDecoders) return Stream.fail(cannotDecode())
  if (known.length === encodings.length) return known.reduceRight((inner, step) => step(inner, onError), body)
  return Stream.mapEffect(body, (chunk, index) =>
    index > 0 || isText(chunk) ? Effect.succeed(chunk) : Effect.fail(cannotDecode())
  )
}
