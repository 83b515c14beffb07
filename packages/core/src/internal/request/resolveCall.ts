/**
 * Checks the params and options of a call together, before anything is sent.
 */
import type * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as GradientError from "../../GradientError.ts"
import * as ImageGenerateParams from "../../ImageGenerateParams.ts"
import type * as RetryPolicy from "../../RetryPolicy.ts"
import { countOf, kindOf, readMembers, show } from "../issue.ts"
import { property } from "../property.ts"
import * as Check from "./checks.ts"
import { type Checked, issuesOf, refuse } from "./checked.ts"
import { invalidParams } from "./invalidParams.ts"
import type { NamedModel } from "./model.ts"
import type { RequestOptions } from "./options.ts"
import type { ResolvedOptions } from "./resolveOptions.ts"

/**
 * A checked call: the values of all options, and the request's body.
 *
 * @category models
 * @since 0.1.0
 */
export interface ResolvedCall {
  readonly kind: ImageGenerateParams.Kind
  /** The params that the caller gave, without defaults. */
  readonly params: ImageGenerateParams.ImageGenerateParamsStreaming
  /** The request's body, the same for each attempt. */
  readonly json: string
  /** The model in the request's body. */
  readonly model: NamedModel
  /** How many images the request's body asks for. */
  readonly n: number
  /** How many partial images of each image the request's body asks for. */
  readonly partialImages: number
  /**
   * Headers of the request: `accept`, those with the key and the idempotency key, and the `headers` of the client and
   * of the call. Names are in lower case.
   */
  readonly headers: Readonly<Record<string, string>>
  readonly timeout: Duration.Duration
  readonly idleTimeout: Duration.Duration
  readonly deadline: Duration.Duration
  readonly retry: RetryPolicy.RetryPolicy
  readonly onRetry: RequestOptions["onRetry"]
  readonly idempotencyKey: string | undefined
  readonly labels: Readonly<Record<string, string>>
}

type Params = ImageGenerateParams.ImageGenerateParamsStreaming

const typed = Schema.decodeUnknownSync(Schema.toType(ImageGenerateParams.Json))
const encode = Schema.encodeSync(ImageGenerateParams.Json)

/**
 * Checks the params, and returns them without defaults. Each member is read only once, because a getter could return
 * another value after the check.
 */
const paramsOf = (params: unknown, kind: ImageGenerateParams.Kind, { model }: ResolvedOptions): Checked<Params> => {
  const read = readMembers(params, ImageGenerateParams.names)
  if (Result.isFailure(read)) return Result.fail([read.failure])
  const values = Object.fromEntries(Object.entries(read.success).filter(([, value]) => value != null))
  const issues = ImageGenerateParams.check(ImageGenerateParams.withDefaults(values, kind, model.name), kind)
  return issues.length > 0 ? Result.fail(issues) : Result.succeed(typed(values))
}

/**
 * The members of `extraBody` after a conversion to JSON and back. This removes undefined members, which would otherwise
 * overwrite required params.
 */
const extraBodyOf = ({ extraBody }: RequestOptions): Checked<object> => {
  const allowed = "an object that can be written as JSON"
  const written = Result.try((): unknown => JSON.parse(JSON.stringify(extraBody ?? {})))
  if (Result.isSuccess(written) && Predicate.isObject(written.success)) return Result.succeed(written.success)
  const given = Result.isSuccess(written) ? kindOf(written.success) : String(written.failure)
  return refuse("extraBody", allowed, given.split("\n", 1)[0] ?? given)
}

const keyOf = ({ idempotencyKey }: RequestOptions): Checked<string | undefined> => {
  if (idempotencyKey === undefined) return Result.succeed(undefined)
  if (!Predicate.isString(idempotencyKey)) return refuse("idempotencyKey", "a string", kindOf(idempotencyKey))
  const length = countOf(idempotencyKey)
  if (length < 1 || length > 512) return refuse("idempotencyKey", "1 to 512 characters", show(idempotencyKey))
  return Check.isCarriable(idempotencyKey)
    ? Result.succeed(idempotencyKey)
    : Result.fail([Check.uncarriable("idempotencyKey")])
}

const labelsOf = ({ labels = {} }: RequestOptions): Checked<Readonly<Record<string, string>>> => {
  if (!Predicate.isObject(labels)) return refuse("labels", "an object of short strings", kindOf(labels))
  const issues = Object.entries(labels)
    .filter(([, value]) => !Predicate.isString(value) || value.length > 256)
    .map(([name, value]) => ({
      param: `labels.${name}`,
      given: show(value),
      allowed: "a string of up to 256 UTF-16 units"
    }))
  return issues.length > 0 ? Result.fail(issues) : Result.succeed({ ...labels })
}

const onRetryOf = ({ onRetry }: RequestOptions): Checked<RequestOptions["onRetry"]> =>
  onRetry === undefined || Predicate.isFunction(onRetry)
    ? Result.succeed(onRetry)
    : refuse("onRetry", "a function", kindOf(onRetry))

/** Builds the request's body. Members of `extraBody` override the params, but not `stream`. */
const requestBody = (
  params: Params,
  extraBody: object,
  kind: ImageGenerateParams.Kind,
  { model: layers }: ResolvedOptions
) => {
  const members = {
    ...encode(ImageGenerateParams.withDefaults(params, kind, layers.name)),
    ...extraBody,
    stream: kind === "stream" || undefined
  }
  const model: NamedModel = Predicate.hasProperty(extraBody, "model")
    ? { name: String(extraBody.model), from: "extraBody" }
    : params.model === undefined
      ? layers
      : { name: params.model, from: "call" }
  return {
    json: JSON.stringify(members),
    model,
    n: Number(property(members, "n")) || 1,
    partialImages: Number(property(members, "partial_images")) || 0
  }
}

/**
 * Checks the params and options of one call, without sending anything. The call's options override the client's. The
 * issues of all params and options are reported together.
 *
 * @category constructors
 * @since 0.1.0
 */
export const resolveCall = (
  client: ResolvedOptions,
  params: unknown,
  kind: ImageGenerateParams.Kind,
  options: RequestOptions = {}
): Result.Result<ResolvedCall, GradientError.InvalidParamsError> => {
  const parts = {
    params: paramsOf(params, kind, client),
    extraBody: extraBodyOf(options),
    idempotencyKey: keyOf(options),
    headers: Check.headers(client.headers, options.headers),
    timeout: Check.duration("timeout", options.timeout, client.timeout),
    idleTimeout: Check.duration("idleTimeout", options.idleTimeout, client.idleTimeout),
    deadline: Check.duration("deadline", options.deadline, client.deadline),
    retry: Check.retryPolicy(options.retry, client.retry),
    labels: labelsOf(options),
    onRetry: onRetryOf(options)
  }
  const issues = issuesOf(parts)
  if (issues.length > 0) return Result.fail(invalidParams(issues, client.headers))
  return Result.all(parts).pipe(
    Result.map(({ extraBody, headers, params: checked, ...rest }) => ({
      ...rest,
      ...requestBody(checked, extraBody, kind, client),
      kind,
      params: checked,
      headers: rest.idempotencyKey === undefined ? headers : { "idempotency-key": rest.idempotencyKey, ...headers }
    })),
    Result.mapError(invalidParams)
  )
}
