/**
 * The service: `generate` gives the whole response, `generateStream` the pictures as they arrive.
 *
 * @example
 * ```ts
 * import { Images } from "@effect-gradient/core"
 * import { Effect, Stream } from "effect"
 *
 * const whole = Images.generate({ prompt: "A cute baby sea otter" }).pipe(
 *   Effect.map((response) => response.data[0].bytes)
 * )
 * const growing = Images.generateStream({ prompt: "A cute baby sea otter", partialImages: 3 }).pipe(
 *   Stream.runForEach((event) => Effect.log(event._tag, event.bytes.length))
 * )
 * ```
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Pull from "effect/Pull"
import { GradientClient, type RequestOptions } from "./GradientClient.ts"
import * as GradientError from "./GradientError.ts"
import type { ImageGenerateParams } from "./ImageGenerateParams.ts"
import type { ImageGenerateResponse } from "./ImageGenerateResponse.ts"
import type { ImageGenStreamEvent } from "./ImageGenStreamEvent.ts"
import { attempts } from "./internal/attempts.ts"
import { type Events, type Reading, readResponse, readStream } from "./internal/reply/readReply.ts"
import * as Reply from "./internal/reply/decodeReply.ts"
import { type RequestBody, requestBody } from "./internal/request/requestBody.ts"
import * as RetryPolicy from "./RetryPolicy.ts"

/**
 * Generates images.
 *
 * @category services
 */
export class Images extends Context.Service<
  Images,
  {
    /** One request, and the whole response. */
    readonly generate: (
      params: ImageGenerateParams,
      options?: RequestOptions
    ) => Effect.Effect<ImageGenerateResponse, GradientError.GradientError>
    /** One request, when the stream is run, and each picture as it arrives. */
    readonly generateStream: (
      params: ImageGenerateParams,
      options?: RequestOptions
    ) => Stream.Stream<ImageGenStreamEvent, GradientError.GradientError>
  }
>()("@effect-gradient/core/Images") {}

const path = "/images/generations"

/** The service on this client. */
const make = Effect.gen(function* () {
  const client = yield* GradientClient

  const policyOf = ({ retry = client.waiting.retry }: RequestOptions) => RetryPolicy.make(retry)

  /** Sends one request; `timeout` counts from here, for a stream only to the head of the reply. */
  const send = Effect.fnUntraced(function* (body: RequestBody, isStream: boolean, options: RequestOptions) {
    const timeout = Duration.fromInputUnsafe(options.timeout ?? client.waiting.timeout)
    const idle = Duration.fromInputUnsafe(options.idleTimeout ?? client.waiting.idleTimeout)
    const start = yield* Clock.currentTimeMillis
    const response = yield* Effect.mapError(client.post(path, body.json, options), ({ reason }) => reason)
    const reading: Reading = {
      response,
      head: Reply.headOf(response, yield* Clock.currentTimeMillis),
      n: body.n,
      limits: client.limits,
      patience: {
        idleMillis: Duration.toMillis(idle),
        deadline: isStream ? Number.POSITIVE_INFINITY : start + Duration.toMillis(timeout)
      }
    }
    return reading
  })

  const generate = Effect.fn("Images.generate")(function* (params: ImageGenerateParams, options: RequestOptions = {}) {
    const body = yield* requestBody(params, false, options.extraBody).pipe(Effect.mapError(GradientError.fromReason))
    const attempt = Effect.flatMap(send(body, false, options), readResponse).pipe(Effect.scoped)
    return yield* attempts(attempt, policyOf(options))
  })

  /** Opens a stream and reads its first events: up to there it can be tried again. Its scope ends with its failure. */
  const open = Effect.fnUntraced(function* (body: RequestBody, options: RequestOptions, parent: Scope.Scope) {
    const start = yield* Clock.currentTimeMillis
    const scope = yield* Scope.fork(parent)
    return yield* Effect.gen(function* () {
      const rest = yield* Effect.flatMap(send(body, true, options), readStream)
      let first: Events | undefined = yield* Pull.catchDone(rest, () => Effect.die("a stream that ends has an event"))
      const pull = Effect.suspend(() => {
        if (first === undefined) return rest
        const events = first
        first = undefined // Its images are the caller's to keep.
        return Effect.succeed(events)
      })
      return { pull, start }
    }).pipe(
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  })

  const stream = Effect.fnUntraced(function* (params: ImageGenerateParams, options: RequestOptions) {
    const body = yield* requestBody(params, true, options.extraBody).pipe(Effect.mapError(GradientError.fromReason))
    const met: Array<GradientError.Attempt> = []
    const clock = yield* Clock.Clock
    const { pull, start } = yield* attempts(open(body, options, yield* Effect.scope), policyOf(options), met)
    // An attempt that fails after its first event is not repeated: its images may be charged for.
    return Stream.mapError(Stream.fromPull(Effect.succeed(pull)), (reason) => {
      const elapsed = Duration.millis(clock.currentTimeMillisUnsafe() - start)
      return GradientError.fromReason(reason, [...met, { reason, elapsed }])
    })
  })

  const generateStream = (params: ImageGenerateParams, options: RequestOptions = {}) =>
    Stream.unwrap(stream(params, options)).pipe(Stream.withSpan("Images.generateStream"))

  return Images.of({ generate, generateStream })
})

/**
 * The service, on a client.
 *
 * @category layers
 */
export const layer: Layer.Layer<Images, never, GradientClient> = Layer.effect(Images, make)

/**
 * Generates images and gives the whole response. Fails with `GradientError`; its reasons are in that module.
 *
 * @category constructors
 */
export const generate = (
  params: ImageGenerateParams,
  options?: RequestOptions
): Effect.Effect<ImageGenerateResponse, GradientError.GradientError, Images> =>
  Effect.flatMap(Images, (images) => images.generate(params, options))

/**
 * Generates an image and gives each picture as it arrives: `PartialImage`s, then `Completed`, or a failure. The request is
 * sent when the stream is run; leaving early closes the connection. One partial image is asked for unless told.
 *
 * @category constructors
 */
export const generateStream = (
  params: ImageGenerateParams,
  options?: RequestOptions
): Stream.Stream<ImageGenStreamEvent, GradientError.GradientError, Images> =>
  Stream.unwrap(Effect.map(Images, (images) => images.generateStream(params, options)))
