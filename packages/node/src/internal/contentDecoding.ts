/**
 * Decodes a body by its `content-encoding`. None is asked for; one that comes all the same is decoded, because the image
 * may have been paid for.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type { Duplex } from "node:stream"
import * as zlib from "node:zlib"

type Body<E> = Stream.Stream<Uint8Array, E>
type Step = <E>(body: Body<E>, onError: (cause: unknown) => E) => Body<E>

// A body that was cut off is decoded as far as it goes, as browsers do. Whether it is whole shows in its JSON.
const lenient = { flush: zlib.constants.Z_SYNC_FLUSH, finishFlush: zlib.constants.Z_SYNC_FLUSH }
const lenientBrotli = {
  flush: zlib.constants.BROTLI_OPERATION_FLUSH,
  finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH
}

/** One read of the decoder at a time: by default, a pull reads it until 4096 reads are held. */
const through =
  (make: () => Duplex): Step =>
  (body, onError) =>
    NodeStream.pipeThroughDuplex(body, { evaluate: make, onError, chunkSize: 1 })

const gunzip = through(() => zlib.createGunzip(lenient))
const inflate = through(() => zlib.createInflate(lenient))
const inflateRaw = through(() => zlib.createInflateRaw(lenient))

/** `deflate` means zlib's format, but some servers leave out its header. The first byte shows which it is. */
const inflateEither: Step = (body, onError) =>
  Stream.unwrap(
    Effect.map(Stream.peel(body, Sink.head()), ([first, rest]) => {
      if (Option.isNone(first)) return rest
      const hasHeader = ((first.value[0] ?? 0) & 0x0f) === 8
      return (hasHeader ? inflate : inflateRaw)(Stream.concat(Stream.succeed(first.value), rest), onError)
    })
  )

/** Sixteen bytes or more, all of them plain ASCII. Compressed bytes have others among their first ones. */
const isPlain = (bytes: Uint8Array) =>
  bytes.length >= 16 &&
  bytes.subarray(0, 64).every((byte) => (byte >= 32 && byte < 127) || byte === 9 || byte === 10 || byte === 13)

/** Some proxies decode a body and leave its header. */
const unlessPlain =
  (step: Step): Step =>
  (body, onError) =>
    Stream.unwrap(
      Effect.map(Stream.peel(body, Sink.head()), ([first, rest]) => {
        if (Option.isNone(first)) return rest
        const whole = Stream.concat(Stream.succeed(first.value), rest)
        return isPlain(first.value) ? whole : step(whole, onError)
      })
    )

const steps = new Map<string, Step>([
  ["gzip", unlessPlain(gunzip)],
  ["x-gzip", unlessPlain(gunzip)],
  ["deflate", unlessPlain(inflateEither)],
  ["br", unlessPlain(through(() => zlib.createBrotliDecompress(lenientBrotli)))],
  ["zstd", unlessPlain(through(() => zlib.createZstdDecompress()))]
])

/** No server uses more than two; each step can multiply the size by 1000. */
const mostSteps = 5

class CannotDecodeError extends Error {
  readonly code = "ERR_CONTENT_ENCODING"
}

/** Whether these bytes have no control characters: neither JSON, events nor HTML contain any. */
const isText = (bytes: Uint8Array) => bytes.subarray(0, 512).every((byte) => byte >= 32 || (byte >= 9 && byte <= 13))

/**
 * The decoded body, which is read only as fast as it is consumed. Some servers name an encoding that does not exist,
 * such as `utf-8`: then a body that is text passes unchanged.
 */
export const decoded = <E>(
  body: Body<E>,
  contentEncoding: string | undefined,
  onError: (cause: unknown) => E
): Body<E> => {
  if (contentEncoding === undefined) return body
  const names = contentEncoding.split(",").map((name) => name.trim().toLowerCase())
  const encodings = names.filter((name) => name !== "" && name !== "identity")
  const known = encodings.flatMap((name) => steps.get(name) ?? [])
  const cannotDecode = () => onError(new CannotDecodeError(`content-encoding "${contentEncoding}" cannot be decoded`))
  if (encodings.length > mostSteps) return Stream.fail(cannotDecode())
  if (known.length === encodings.length) return known.reduceRight((inner, step) => step(inner, onError), body)
  return Stream.mapEffect(body, (chunk, index) =>
    index > 0 || isText(chunk) ? Effect.succeed(chunk) : Effect.fail(cannotDecode())
  )
}
