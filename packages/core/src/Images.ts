/**
 * Generates images. `generate` returns the complete response, `generateStream` each image as it arrives.
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
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  GradientClient,
  type RequestOptions,
  resolveCall,
  type ResolvedCall,
  type ResolvedOptions
} from "./GradientClient.ts"
import * as GradientError from "./GradientError.ts"
import type { ImageGenerateParamsNonStreaming, ImageGenerateParamsStreaming, Kind } from "./ImageGenerateParams.ts"
import type { ImageGenerateResponse } from "./ImageGenerateResponse.ts"
import type { ImageGenStreamEvent } from "./ImageGenStreamEvent.ts"
import { type Call, Outcome } from "./internal/attempt/attemptModels.ts"
import { open, type OpenAttempt } from "./internal/attempt/OpenAttempt.ts"
import { AttemptLog, retryAttempts } from "./internal/attempt/retryAttempts.ts"
import { settleByEvents } from "./internal/attempt/streamOutcome.ts"
import { type Events, type IncomingReply, readResponse, readStream } from "./internal/reply/readReply.ts"
import { ReadTimeouts } from "./internal/reply/readTimeouts.ts"
import * as Reply from "./internal/reply/decodeReply.ts"

/**
 * Generates images.
 *
 * @category services
 * @since 0.1.0
 */
export class Images extends Context.Service<
  Images,
  {
    /** Generates images and returns the complete response. */
    readonly generate: (
      params: ImageGenerateParamsNonStreaming,
      options?: RequestOptions
    ) => Effect.Effect<ImageGenerateResponse, GradientError.GradientError>
    /** When the stream runs, generates images and emits each one as it arrives. */
    readonly generateStream: (
      params: ImageGenerateParamsStreaming,
      options?: RequestOptions
    ) => Stream.Stream<ImageGenStreamEvent, GradientError.GradientError>
  }
>()("@effect-gradient/core/Images") {}

/** The params and options of a call that the entries of `Attempt` can see. */
const attemptOf = (
  { idempotencyKey, kind, labels, model, n, params, partialImages }: ResolvedCall,
  { server }: ResolvedOptions
): Call => ({
  kind,
  params: { ...params, model: model.name, n, ...(kind === "stream" ? { partialImages } : {}) },
  idempotencyKey,
  labels,
  server
})

const make = Effect.gen(function* () {
  const client = yield* GradientClient

  const resolve = (kind: Kind, params: unknown, options: RequestOptions) =>
    Effect.mapError(Effect.fromResult(resolveCall(client.options, params, kind, options)), GradientError.fromReason)

  /** Sends the request of an attempt. Returns the response, with the values for reading its body, such as timeouts. */
  const send = Effect.fnUntraced(function* (call: ResolvedCall, attempt: OpenAttempt) {
    const response = yield* client.post(call, attempt)
    const isStream = call.kind === "stream"
    const incoming: IncomingReply = {
      response,
      head: Reply.headOf(response, yield* Clock.currentTimeMillis),
      n: call.n,
      partialImages: call.partialImages,
      limits: client.options.limits,
      timeouts: new ReadTimeouts({
        idleMillis: Duration.toMillis(call.idleTimeout),
        deadline: attempt.sentAt + Duration.toMillis(isStream ? call.deadline : call.timeout),
        deadlinePhase: isStream ? "deadline" : "response"
      }),
      onWhole: () => {
        attempt.isReplyWhole = true
      }
    }
    return incoming
  })

  const generate = Effect.fn("Images.generate")(function* (
    params: ImageGenerateParamsNonStreaming,
    options: RequestOptions = {}
  ) {
    const call = yield* resolve("generate", params, options)
    const attempts = new AttemptLog()
    const once = Effect.gen(function* () {
      const attempt = yield* open(attemptOf(call, client.options), attempts)
      // Once the response is complete, the attempt cannot be interrupted before its outcome is settled. Otherwise, images
      // that have arrived would not count as `Completed`.
      return yield* Effect.uninterruptibleMask((restore) =>
        restore(Effect.flatMap(send(call, attempt), readResponse)).pipe(
          Effect.catch((reason) => attempt.fail(reason)),
          Effect.tap((response) =>
            attempt.settle(Outcome.Completed({ images: response.data, usage: response.usage, response }))
          )
        )
      )
    })
    return yield* retryAttempts(Effect.scoped(once), call, attempts)
  })

  /**
   * Sends the request of an attempt and waits for the first event. A failure before the first event can be retried, and
   * closes the scope of the attempt.
   */
  const openStream = Effect.fnUntraced(function* (call: ResolvedCall, attempts: AttemptLog, parent: Scope.Scope) {
    const start = yield* Clock.currentTimeMillis
    const scope = yield* Scope.fork(parent)
    return yield* Effect.gen(function* () {
      const attempt = yield* open(attemptOf(call, client.options), attempts)
      const pullEvents = yield* Effect.catch(Effect.flatMap(send(call, attempt), readStream), (reason) =>
        attempt.fail(reason)
      )
      const rest = settleByEvents(attempt, call.n, pullEvents)
      let first: Events | undefined = yield* Pull.catchDone(rest, () =>
        Effect.die("a successful stream must have at least one event")
      )
      const pull = Effect.suspend(() => {
        if (first === undefined) return rest
        const events = first
        first = undefined // Frees the memory of these images as soon as the caller drops them.
        return Effect.succeed(events)
      })
      return { pull, start }
    }).pipe(
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  })

  const stream = Effect.fnUntraced(function* (params: ImageGenerateParamsStreaming, options: RequestOptions) {
    const call = yield* resolve("stream", params, options)
    const attempts = new AttemptLog()
    const clock = yield* Clock.Clock
    const { pull, start } = yield* retryAttempts(openStream(call, attempts, yield* Effect.scope), call, attempts)
    // An attempt that fails after its first event is not retried, because its images may be charged for.
    return Stream.mapError(Stream.fromPull(Effect.succeed(pull)), (reason) => {
      const elapsed = Duration.millis(clock.currentTimeMillisUnsafe() - start)
      return GradientError.fromReason(reason, [...attempts.failed, { reason, elapsed }])
    })
  })

  const generateStream = (params: ImageGenerateParamsStreaming, options: RequestOptions = {}) =>
    Stream.unwrap(stream(params, options)).pipe(Stream.withSpan("Images.generateStream"))

  return Images.of({ generate, generateStream })
})

/**
 * Provides `Images`, which sends its requests through the `GradientClient` in context.
 *
 * @category layers
 * @since 0.1.0
 */
// Effect builds a layer only once for all uses of the same constant. Without `fresh`, all clients of a program would
// share the `Images` of the first client.
export const layer: Layer.Layer<Images, never, GradientClient> = Layer.fresh(Layer.effect(Images, make))

/**
 * Generates images and returns the complete response.
 *
 * @category constructors
 * @since 0.1.0
 */
export const generate = (
  params: ImageGenerateParamsNonStreaming,
  options?: RequestOptions
): Effect.Effect<ImageGenerateResponse, GradientError.GradientError, Images> =>
  Effect.flatMap(Images, (images) => images.generate(params, options))

/**
 * Generates images and emits each one as it arrives: for each image, the `PartialImage`s that the service sends, then a
 * `Completed`. The request is sent when the stream runs. If the consumer stops before the last image, the request is
 * aborted; a durable call continues by default. The default of `partialImages` is 1.
 *
 * @category constructors
 * @since 0.1.0
 */
export const generateStream = (
  params: ImageGenerateParamsStreaming,
  options?: RequestOptions
): Stream.Stream<ImageGenStreamEvent, GradientError.GradientError, Images> =>
  Stream.unwrap(Effect.map(Images, (images) => images.generateStream(params, options)))
