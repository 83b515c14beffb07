/**
 * An image service in memory, for tests. It replies with web Responses, and records the requests that it gets.
 */
import { GradientClient, type GradientError, Images } from "../../src/index.ts"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"

/** The API key of the tests. It is a secret, so tests check that nothing shows it. */
export const key = "sk-do-this-is-the-secret-of-the-tests"

/** A request as the service got it. */
interface Asked {
  readonly url: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: unknown
  readonly signal: AbortSignal
  /** When the service got the request, in milliseconds by Effect's Clock. */
  readonly at: number
}

/**
 * How the service replies to a request: with a Response, with an Effect that returns one, or by breaking the connection
 * for this cause.
 */
export type Answer = Response | Effect.Effect<Response> | Error

const bodyOf = (request: HttpClientRequest.HttpClientRequest): unknown =>
  request.body._tag === "Uint8Array" ? JSON.parse(new TextDecoder().decode(request.body.body)) : undefined

/**
 * The service as an HttpClient, without the library. `answer` is called for each request, with the number of the
 * request from 0.
 */
export const transport = (answer: (number: number) => Answer) => {
  const asked: Array<Asked> = []
  const client = HttpClient.make((request, url, signal) =>
    Effect.gen(function* () {
      const at = yield* Clock.currentTimeMillis
      asked.push({ url: url.href, headers: request.headers, body: bodyOf(request), signal, at })
      const answered = answer(asked.length - 1)
      if (answered instanceof Error) {
        const reason = new HttpClientError.TransportError({ request, cause: answered })
        return yield* Effect.fail(new HttpClientError.HttpClientError({ reason }))
      }
      return HttpClientResponse.fromWeb(request, Effect.isEffect(answered) ? yield* answered : answered)
    })
  )
  return { asked, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

/** A layer of `Images` that sends its requests to the service in memory, and the list of these requests. */
export const make = (answer: (number: number) => Answer, options: GradientClient.Options = {}) => {
  const { asked, layer: http } = transport(answer)
  const layer = Images.layer.pipe(
    Layer.provide(GradientClient.layer({ modelAccessKey: Redacted.make(key), ...options })),
    Layer.provide(http)
  )
  return { asked, layer }
}

/** The reason with which the call fails. If the call succeeds, the test fails. */
export const reasonOf = <A, R>(
  call: Effect.Effect<A, GradientError.GradientError, R>
): Effect.Effect<GradientError.GradientErrorReason, A, R> => Effect.map(Effect.flip(call), ({ reason }) => reason)

/** The reason with which the call fails. If the call succeeds, or the reason has another tag, the test fails. */
export const failsWith = <const Tag extends GradientError.GradientErrorReason["_tag"]>(tag: Tag) => {
  const isIt = (
    reason: GradientError.GradientErrorReason
  ): reason is Extract<GradientError.GradientErrorReason, { readonly _tag: Tag }> => reason._tag === tag
  return <A, R>(call: Effect.Effect<A, GradientError.GradientError, R>) =>
    Effect.flatMap(reasonOf(call), (reason) =>
      isIt(reason) ? Effect.succeed(reason) : Effect.die(new Error(`not ${tag} but ${reason._tag}: ${reason.message}`))
    )
}

/**
 * Lets the fibers run for five turns of the event loop, which is enough for them to reach their next wait for the
 * Clock.
 */
export const settle = Effect.promise(() => new Promise((resolve) => setImmediate(resolve))).pipe(
  Effect.repeat({ times: 4 }),
  Effect.asVoid
)

/** Moves the Clock forward by this duration, and lets the fibers run that waited for it. */
export const advance = (duration: Duration.Input) => Effect.andThen(TestClock.adjust(duration), settle)

/** The result of a fiber that has ended. A fiber that still runs is a defect. */
export const join = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => fiber.pollUnsafe() ?? Effect.die(new Error("the fiber is still running")))
