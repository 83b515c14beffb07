/**
 * Who may call the gateway. There is no default that lets everyone in.
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
 * // the gateway has `origins: ["https://app.example.com"], credentials: true`, and the cookie has `SameSite=None; Secure`.
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
import * as Redacted from "effect/Redacted"
import type { Caller } from "./ImagesApi.ts"

/**
 * The headers belong to no caller. The message is shown to whoever called.
 *
 * @category errors
 */
export class Unauthorized extends Data.TaggedError("Unauthorized")<{ readonly message: string }> {}

/**
 * Who may call.
 *
 * @category services
 */
export class Callers extends Context.Service<
  Callers,
  {
    /** Finds the caller by the headers of a request. */
    readonly identify: (headers: Headers.Headers) => Effect.Effect<Caller, Unauthorized>
  }
>()("@effect-gradient/gateway/Callers") {}

const unknownKey = new Unauthorized({
  message: "The key is missing or wrong. Send it as: Authorization: Bearer <key>."
})

/**
 * Lets in whoever sends one of these keys, as `Authorization: Bearer <key>`. Each key is a caller. Its id is the first 12
 * hexadecimal digits of the key's SHA-256. A blank key lets nobody in.
 *
 * @category layers
 */
export const layerKeys = (keys: ReadonlyArray<Redacted.Redacted>): Layer.Layer<Callers> =>
  Layer.effect(
    Callers,
    Effect.gen(function* () {
      const { digest } = yield* Digest.Digest
      const digestOf = (key: string) => digest(Digest.sha256, new TextEncoder().encode(key))
      const values = Arr.filter(Arr.map(keys, Redacted.value), (key) => key.trim() !== "")
      // Computed with the first request: on Cloudflare's runtime a layer is built outside of requests.
      const known = yield* Effect.cached(Effect.forEach(values, digestOf))
      return Callers.of({
        identify: Effect.fnUntraced(function* (headers) {
          const key = /^bearer +(\S+)$/i.exec(headers["authorization"] ?? "")?.[1]
          if (key === undefined) return yield* unknownKey
          const given = yield* digestOf(key)
          // Digests are compared, and in constant time, so that the time taken reveals nothing about a key.
          const found = (yield* known).find((one) => Mac.timingSafeEqual(one, given))
          if (found === undefined) return yield* unknownKey
          return { id: Hex.encode(found).slice(0, 12) }
        })
      })
    })
  ).pipe(Layer.provide(Digest.layerWebCrypto))
