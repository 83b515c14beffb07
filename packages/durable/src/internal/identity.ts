/**
 * Computes what identifies a generation: the SHA-256 of its key, and a keyed digest of its params.
 */
import { GradientError, type Images, type ImageGenerateParams } from "@effect-gradient/core"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"

type Options = NonNullable<Parameters<Images.Images["Service"]["generate"]>[1]>

const encoder = new TextEncoder()

/**
 * The version of the digest. A call cannot compare its params with a digest of another version, so it treats such a row
 * as in doubt, unless the row is `free` or `expired`.
 */
const version = "v1:"

export const isKnownDigest = (digest: string): boolean => digest.startsWith(version)

const invalid = (param: string, given: string, allowed: string) =>
  GradientError.fromReason(
    new GradientError.InvalidParamsError({
      issues: [{ param, given, allowed }],
      description: `${param} must be ${allowed} (got ${given})`
    })
  )

/**
 * Returns the key if it is valid. A key with half of a surrogate pair is refused: UTF-8 cannot express it, so two such
 * keys could have the same id.
 */
const checkKey = (key: unknown): Effect.Effect<string, GradientError.GradientError> => {
  if (!Predicate.isString(key)) return invalid("idempotencyKey", `a ${typeof key}`, "a string")
  const length = [...key].length
  if (length < 1 || length > 512) return invalid("idempotencyKey", `${length} characters`, "1 to 512 characters")
  return key.isWellFormed()
    ? Effect.succeed(key)
    : invalid("idempotencyKey", "half of a surrogate pair", "valid Unicode")
}

/** Sorts the members of a value by name and leaves out those that are null, so that equal params have equal JSON. */
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (!Predicate.isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)])
  )
}

/**
 * The params and `extraBody` of a call as text. The number of partial images is left out, and so is whether `generate`
 * or `generateStream` was called, because all callers of a key get the same images.
 */
export const askedText = (
  params: ImageGenerateParams.ImageGenerateParamsStreaming,
  { extraBody }: Options
): Effect.Effect<string, GradientError.GradientError> =>
  Effect.fromResult(
    Result.try({
      try: () => {
        const asked: unknown = JSON.parse(JSON.stringify({ params: { ...params, partialImages: null }, extraBody }))
        return JSON.stringify(sorted(asked))
      },
      catch: (cause) =>
        GradientError.fromReason(
          new GradientError.InvalidParamsError({ description: `params and extraBody must be JSON: ${String(cause)}` })
        )
    })
  )

const webCrypto = Layer.mergeAll(Digest.layerWebCrypto, Mac.layerWebCrypto).pipe(
  Layer.provideMerge(SecureRandom.layerWebCrypto)
)

/**
 * Makes the functions that compute ids and digests. For short texts they use the application's `Digest` and `Mac` if it
 * provides them, else Web Crypto. In Node, Web Crypto computes each digest in another thread, which takes longer than
 * the digest of a short text. For images they always use Web Crypto, so that a large image does not block the thread.
 */
export const make = Effect.gen(function* () {
  const context = yield* Layer.build(webCrypto)
  const web = Context.get(context, Digest.Digest)
  const digests = Option.getOrElse(yield* Effect.serviceOption(Digest.Digest), () => web)
  const macs = Option.getOrElse(yield* Effect.serviceOption(Mac.Mac), () => Context.get(context, Mac.Mac))
  const random = Context.get(context, SecureRandom.SecureRandom)
  return {
    /** The id of a key: 64 hex digits. */
    idOf: (key: unknown) =>
      Effect.flatMap(checkKey(key), (text) => digests.digestHex(Digest.sha256, encoder.encode(text))),
    /** The SHA-256 of an image or a long text: 64 hex digits. */
    sha256: (bytes: Uint8Array) => web.digestHex(Digest.sha256, bytes),
    /** The digest of a text: the version, followed by the HMAC-SHA-256 of the text. The salt is the key of the HMAC. */
    digestOf: (salt: string, text: string) =>
      Effect.orDie(
        Effect.flatMap(Mac.key(Mac.hmacSha256, encoder.encode(salt)), (key) => macs.sign(key, encoder.encode(text)))
      ).pipe(Effect.map((tag) => `${version}${Hex.encode(tag)}`)),
    /** 32 random hex digits. */
    random: Effect.map(Effect.orDie(random.randomBytes(16)), Hex.encode)
  }
})

export type Identity = Effect.Success<typeof make>
