/**
 * Identifies callers and rejects unknown ones. There is no default, so that no gateway accepts everyone by mistake.
 *
 * @example
 * ```ts
 * import { Callers } from "@effect-gradient/gateway"
 * import { Effect, Layer, Option } from "effect"
 * import { Cookies } from "effect/http"
 *
 * // Your own lookup of a session, in a database or in Redis.
 * declare const userOfSession: (session: string) => Effect.Effect<Option.Option<{ readonly id: string }>>
 *
 * // A page that is signed in by a cookie. If it is served from another origin, it calls with `credentials: "include"`,
 * // and the gateway has `origins: ["https://app.example.com"], credentials: true`. If it is served from another site,
 * // the cookie also has `SameSite=None; Secure`.
 * const fromSession = Layer.succeed(Callers.Callers, {
 *   identify: (headers) =>
 *     userOfSession(Cookies.parseHeader(headers["cookie"] ?? "")["session"] ?? "").pipe(
 *       Effect.flatMap(
 *         Option.match({
 *           onNone: () => Effect.fail(new Callers.Unauthorized({ message: "Sign in first." })),
 *           onSome: ({ id }) => Effect.succeed({ id })
 *         })
 *       )
 *     )
 * })
 * ```
 */
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Mac from "effect/crypto/Mac"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import type * as Headers from "effect/http/Headers"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Caller } from "./ImagesApi.ts"

/**
 * The error for headers that do not identify a caller. Its message is sent to the client.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unauthorized extends Data.TaggedError("Unauthorized")<{ readonly message: string }> {}

/**
 * Identifies the caller of each request.
 *
 * @category services
 * @since 0.1.0
 */
export class Callers extends Context.Service<
  Callers,
  {
    /** Returns the caller of a request with these headers. */
    readonly identify: (headers: Headers.Headers) => Effect.Effect<Caller, Unauthorized>
  }
>()("@effect-gradient/gateway/Callers") {}

/**
 * The application's `Digest` if it provides one, else that of Web Crypto. Node's Web Crypto computes each digest in
 * another thread, which takes longer than the digest of a key.
 */
const digests = Layer.unwrap(
  Effect.map(
    Effect.serviceOption(Digest.Digest),
    Option.match({
      onNone: () => Digest.layerWebCrypto,
      onSome: (provided) => Layer.succeed(Digest.Digest, provided)
    })
  )
)

const unknownKey = new Unauthorized({
  message: "The key is missing or wrong. Send it as: Authorization: Bearer <key>."
})

/**
 * Accepts requests that have one of these keys in the header `Authorization: Bearer <key>`. Each key is a caller of its
 * own. The caller's id is the first 12 hexadecimal digits of the key's SHA-256. A key that is empty or contains white
 * space is never accepted.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerKeys = (keys: ReadonlyArray<Redacted.Redacted>): Layer.Layer<Callers> =>
  Layer.effect(
    Callers,
    Effect.gen(function* () {
      const { digest } = yield* Digest.Digest
      const digestOf = (key: string) => digest(Digest.sha256, new TextEncoder().encode(key))
      const values = Arr.filter(Arr.map(keys, Redacted.value), (key) => key.trim() !== "")
      // The digests are computed when the first request with a key arrives. Layers are built outside of requests, where
      // Cloudflare's runtime does not allow this.
      const known = yield* Effect.cached(Effect.forEach(values, digestOf))
      return Callers.of({
        identify: Effect.fnUntraced(function* (headers) {
          const key = /^bearer +(\S+)$/i.exec(headers["authorization"] ?? "")?.[1]
          if (key === undefined) return yield* unknownKey
          const requested = yield* digestOf(key)
          // Each comparison takes constant time, so that timing does not help to guess a key.
          const found = (yield* known).find((each) => Mac.timingSafeEqual(each, requested))
          if (found === undefined) return yield* unknownKey
          return { id: Hex.encode(found).slice(0, 12) }
        })
      })
    })
  ).pipe(Layer.provide(digests))
