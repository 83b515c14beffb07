/**
 * Lists the models that the service has now. The service adds and retires models, so this library has no fixed list.
 *
 * @example
 * ```ts
 * import { Models } from "@effect-gradient/core"
 * import { NodeImages } from "@effect-gradient/node"
 * import { Effect } from "effect"
 *
 * Models.list.pipe(
 *   Effect.map((models) => models.map(({ id }) => id)),
 *   Effect.provide(NodeImages.layerFromConfig())
 * )
 * ```
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { GradientClient } from "./GradientClient.ts"
import * as GradientError from "./GradientError.ts"
import { AttemptLog, retryAttempts } from "./internal/attempt/retryAttempts.ts"
import { isErrorValue } from "./internal/failure/errorBody.ts"
import { reasonOfErrorObject } from "./internal/failure/errorResponse.ts"
import { visibleText } from "./internal/failure/visibleText.ts"
import { isList, property } from "./internal/property.ts"

/**
 * A model of the service. `created` and `ownedBy` are absent if the service does not send them, or if they cannot be
 * read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Model {
  /** The name of the model, for the param `model`. */
  readonly id: string
  readonly created?: DateTime.Utc
  readonly ownedBy?: string
}

/**
 * Reads a time in Unix seconds. A large number is read as milliseconds, because as seconds it would be after the year
 * 5000.
 */
const timeOf = (value: unknown): DateTime.Utc | undefined => {
  if (!Predicate.isNumber(value) || value < 0) return undefined
  return Option.getOrUndefined(DateTime.make(value < 1e11 ? value * 1000 : value))
}

/** Reads one entry of the list. An entry without an id is left out, because it cannot be used. */
const modelOf = (entry: unknown): ReadonlyArray<Model> => {
  const id = property(entry, "id")
  if (!Predicate.isString(id) || id === "") return []
  const created = timeOf(property(entry, "created"))
  const ownedBy = property(entry, "owned_by")
  return [
    {
      id,
      ...(created === undefined ? {} : { created }),
      ...(Predicate.isString(ownedBy) && ownedBy !== "" ? { ownedBy } : {})
    }
  ]
}

const free = { isFree: true } as const

/** Reads the models from a reply, which is a list, or an object with the list in `data`. */
const parse = (text: string): Result.Result<ReadonlyArray<Model>, GradientError.GradientErrorReason> => {
  const json = Result.try((): unknown => JSON.parse(text))
  const value = Result.getOrUndefined(json)
  const list = isList(value) ? value : property(value, "data")
  if (isList(list)) return Result.succeed(list.flatMap(modelOf))
  if (isErrorValue(value)) {
    const unknown = { headers: {}, requestId: undefined, status: undefined }
    return Result.fail(Object.assign(reasonOfErrorObject(value, unknown, []), free))
  }
  const what = Result.isSuccess(json) ? "the reply has no list of models" : "the reply is not JSON"
  const description = [what, visibleText(text)].filter(Predicate.isNotUndefined).join(": ")
  return Result.fail(new GradientError.InvalidResponseError({ description, ...free }))
}

/**
 * Lists all models, including those that do not make images. The service does not charge for this. The layer's retry
 * policy decides which failures are retried.
 *
 * @category constructors
 * @since 0.1.0
 */
export const list: Effect.Effect<ReadonlyArray<Model>, GradientError.GradientError, GradientClient> = Effect.gen(
  function* () {
    const client = yield* GradientClient
    const attempts = new AttemptLog()
    const attempt = Effect.suspend(() => {
      attempts.count++
      return Effect.flatMap(client.get("/models"), (text) => Effect.fromResult(parse(text)))
    })
    return yield* retryAttempts(attempt, client.options, attempts)
  }
).pipe(Effect.withSpan("Models.list"))
