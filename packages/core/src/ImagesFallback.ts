/**
 * Tries several endpoints or models in order. If one fails, the next one is tried only if nothing can have been charged
 * for. So a call with the default retry policy is paid for at most once, unless a `transformClient` repeats requests.
 *
 * This module is not part of the index, so that a program without a fallback does not load it.
 *
 * After these failures the next entry is tried, if no attempt of the failed entry may have been charged for:
 * `ConnectionError`, `RateLimitError`, `QuotaExceededError`, `AuthenticationError`, `PermissionDeniedError`,
 * `NotFoundError`, `InternalServerError` (such as a 503 with `retry-after`) and `RequestTimeoutError` (no connection
 * was made). All other failures end the call, because in most cases the image may have been paid for, or another
 * endpoint would refuse the same request. For a stream, the next entry is tried only before the first event.
 *
 * The client of an entry makes its own retries before the next entry is tried. To try the next entry at once, set
 * `retry: RetryPolicy.none` in the options of that client or of the call. The attempts of each entry are numbered from
 * 1.
 *
 * @example
 * ```ts
 * import * as ImagesFallback from "@effect-gradient/core/ImagesFallback"
 * import { NodeImages } from "@effect-gradient/node"
 *
 * const service = NodeImages.layerFromConfig()
 *
 * const layer = ImagesFallback.layer([{ layer: service }, { layer: service, model: "openai-gpt-image-1.5" }])
 * ```
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Context from "effect/Context"
import * as Stream from "effect/Stream"
import * as GradientError from "./GradientError.ts"
import { Images } from "./Images.ts"
import { issuesOf, refuse } from "./internal/request/checked.ts"
import { invalidParams } from "./internal/request/invalidParams.ts"

/**
 * An endpoint to try, or a model of an endpoint.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry<E, R> {
  /** The layer of the endpoint's client. If several entries have the same layer, it is built once. */
  readonly layer: Layer.Layer<Images, E, R>
  /** The model to request instead of the call's model. Default: the call's model. */
  readonly model?: string | undefined
}

interface Target {
  readonly images: Images["Service"]
  readonly model: string | undefined
}

interface Tried {
  readonly name: string
  readonly error: GradientError.GradientError
}

const movesOn: ReadonlySet<string> = new Set<GradientError.GradientErrorReason["_tag"]>([
  "ConnectionError",
  "RateLimitError",
  "QuotaExceededError",
  "AuthenticationError",
  "PermissionDeniedError",
  "NotFoundError",
  "InternalServerError",
  "RequestTimeoutError"
])

const canMoveOn = (error: GradientError.GradientError) => !error.mayHaveBeenCharged && movesOn.has(error.reason._tag)

const nameOf = ({ model }: Target, index: number) => `Entry ${index + 1}${model === undefined ? "" : ` (${model})`}`

/** The last error, with the attempts and the messages of all entries that were tried. */
const combined = (tried: ReadonlyArray<Tried>, last: GradientError.GradientError): GradientError.GradientError =>
  tried.length === 1
    ? last
    : new GradientError.GradientError({
        reason: last.reason,
        attempts: tried.flatMap(({ error }) => error.attempts),
        details: tried.map(({ error, name }) => `${name}: ${error.message}`).join(" "),
        ...(last.cause === undefined ? {} : { cause: last.cause })
      })

const withModel = <P extends { readonly model?: string | undefined }>(params: P, model: string | undefined): P =>
  model === undefined ? params : { ...params, model }

const make = (first: Target, others: ReadonlyArray<Target>): Images["Service"] => {
  const targets = [first, ...others]

  const generate = (
    [params, options]: Parameters<Images["Service"]["generate"]>,
    target: Target,
    tried: ReadonlyArray<Tried> = []
  ): ReturnType<Images["Service"]["generate"]> =>
    Effect.catch(target.images.generate(withModel(params, target.model), options), (error) => {
      const all = [...tried, { name: nameOf(target, tried.length), error }]
      const next = canMoveOn(error) ? targets[all.length] : undefined
      return next === undefined ? Effect.fail(combined(all, error)) : generate([params, options], next, all)
    })

  const generateStream = (
    [params, options]: Parameters<Images["Service"]["generateStream"]>,
    target: Target,
    tried: ReadonlyArray<Tried> = []
  ): ReturnType<Images["Service"]["generateStream"]> =>
    Stream.suspend(() => {
      let hasEvent = false
      const events = Stream.tap(target.images.generateStream(withModel(params, target.model), options), () =>
        Effect.sync(() => {
          hasEvent = true
        })
      )
      return Stream.catch(events, (error) => {
        const all = [...tried, { name: nameOf(target, tried.length), error }]
        const next = !hasEvent && canMoveOn(error) ? targets[all.length] : undefined
        return next === undefined ? Stream.fail(combined(all, error)) : generateStream([params, options], next, all)
      })
    })

  return Images.of({
    generate: (...call) => generate(call, first),
    generateStream: (...call) => generateStream(call, first)
  })
}

const build = Effect.fnUntraced(function* <E, R>(entries: ReadonlyArray<Entry<E, R>>) {
  const scope = yield* Effect.scope
  // `Layer.build` would build a layer again for each entry that has it.
  const memoMap = Layer.CurrentMemoMap.forkOrCreate(yield* Effect.context())
  const targets = yield* Effect.forEach(entries, ({ layer, model }) =>
    Effect.map(Layer.buildWithMemoMap(layer, memoMap, scope), (context): Target => ({
      images: Context.get(context, Images),
      model
    }))
  )
  const [first, ...others] = targets
  if (first === undefined) {
    const issues = issuesOf({ entries: refuse("entries", "at least one endpoint or model", "none") })
    return yield* GradientError.fromReason(invalidParams(issues))
  }
  return make(first, others)
})

/**
 * Provides `Images` that tries the entries in order. Fails with `InvalidParamsError` if there are no entries.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E = never, R = never>(
  entries: ReadonlyArray<Entry<E, R>>
): Layer.Layer<Images, E | GradientError.GradientError, R> => Layer.effect(Images, build(entries))
