/**
 * Checks the options of a layer when the layer is built. The issues of all options are reported together, and do not
 * show the key.
 */
import * as Duration from "effect/Duration"
import type * as HttpClient from "effect/http/HttpClient"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { defaultBaseUrl } from "../../GradientConfig.ts"
import type * as GradientError from "../../GradientError.ts"
import { defaultModel } from "../../ImageGenerateParams.ts"
import * as RetryPolicy from "../../RetryPolicy.ts"
import { kindOf, show } from "../issue.ts"
import type { Server } from "../attempt/attemptModels.ts"
import type { TransformedClient } from "../attempt/transport.ts"
import { defaultLimits, type Limits } from "../reply/limits.ts"
import { baseUrl, serverOf, type ToUrl } from "./baseUrl.ts"
import * as Check from "./checks.ts"
import type { Environment } from "./environment.ts"
import { type Checked, issuesOf, refuse } from "./checked.ts"
import { invalidParams } from "./invalidParams.ts"
import type { NamedModel } from "./model.ts"
import type { Options } from "./options.ts"

/** The options of a client, with every default filled in. */
export interface ResolvedOptions {
  readonly toUrl: ToUrl
  readonly server: Server | undefined
  /**
   * The default headers of each request, which a call's `headers` can change. If there is a key, they include
   * `authorization`, unless the option `headers` removes it. Names are in lower case.
   */
  readonly headers: Readonly<Record<string, string>>
  /** The model for calls that do not set `model`. */
  readonly model: NamedModel
  readonly timeout: Duration.Duration
  readonly idleTimeout: Duration.Duration
  readonly deadline: Duration.Duration
  readonly retry: RetryPolicy.RetryPolicy
  readonly limits: Limits
  readonly propagateTrace: boolean
  readonly transformClient: (client: HttpClient.HttpClient) => TransformedClient
}

/** The first key that is set, with the name of the option or environment variable that it came from. */
const keyOf = ({ accessToken, modelAccessKey }: Options, { key }: Environment) => {
  if (modelAccessKey !== undefined) return { name: "modelAccessKey", value: modelAccessKey }
  if (accessToken !== undefined) return { name: "accessToken", value: accessToken }
  return key === undefined ? undefined : { name: key.name, value: Redacted.make(key.value) }
}

/**
 * The `authorization` header with the key, without white space around it. A key in quotes or after `Bearer` is refused.
 * The key is never shown in a message.
 */
const authorization = (options: Options, environment: Environment): Checked<Readonly<Record<string, string>>> => {
  const key = keyOf(options, environment)
  if (key === undefined) return Result.succeed({})
  if (!Redacted.isRedacted(key.value)) return refuse(key.name, "made with Redacted.make", kindOf(key.value))
  const value: unknown = Redacted.value(key.value)
  if (!Predicate.isString(value)) return refuse(key.name, "a Redacted string", `a Redacted with ${kindOf(value)}`)
  const text = value.trim()
  if (text === "") return refuse(key.name, "a key", "nothing but white space")
  if (/^["'`\u2018-\u201f]|["'`\u2018-\u201f]$/.test(text)) return refuse(key.name, "the key without quotes", "quotes")
  if (/^bearer(?![\w-])/i.test(text)) return refuse(key.name, "the key without Bearer before it", "Bearer")
  if (/^[!-~]+\s+[!-~]/.test(text)) return refuse(key.name, "the key alone", "several words")
  if (!Check.isCarriable(text)) return Result.fail([Check.uncarriable(key.name)])
  return Result.succeed({ authorization: `Bearer ${text}` })
}

const modelOf = ({ model: option }: Options, { model: variable }: Environment): Checked<NamedModel> => {
  if (option === undefined && variable === undefined) return Result.succeed({ name: defaultModel, from: "default" })
  const [param, value] = option === undefined ? [variable?.name ?? "", variable?.value] : ["model", option]
  if (!Predicate.isString(value) || value.trim() === "") return refuse(param, "the name of a model", show(value))
  return Result.succeed({ name: value.trim(), from: option === undefined ? "environment" : "layer" })
}

const limitsOf = ({ limits = {} }: Options): Checked<Limits> => {
  if (!Predicate.isObject(limits)) return refuse("limits", "an object", kindOf(limits))
  const values = Object.entries(limits).filter(([, value]) => value !== undefined)
  const issues = values
    .filter(([, value]) => !(Number.isInteger(value) || value === Infinity) || value <= 0)
    .map(([name, value]) => ({
      param: `limits.${name}`,
      given: show(value),
      allowed: "a whole number of bytes above 0"
    }))
  return issues.length > 0 ? Result.fail(issues) : Result.succeed({ ...defaultLimits, ...Object.fromEntries(values) })
}

const propagateTraceOf = ({ propagateTrace = false }: Options): Checked<boolean> =>
  Predicate.isBoolean(propagateTrace)
    ? Result.succeed(propagateTrace)
    : refuse("propagateTrace", "true or false", kindOf(propagateTrace))

const transformOf = ({ transformClient }: Options): Checked<ResolvedOptions["transformClient"]> => {
  if (transformClient === undefined) return Result.succeed((client) => client)
  return Predicate.isFunction(transformClient)
    ? Result.succeed(transformClient)
    : refuse("transformClient", "a function", kindOf(transformClient))
}

/**
 * Checks the options of a client, and fills in the defaults. If the key, the base URL or the model is not set, it comes
 * from `environment`, if that has it.
 */
export const resolveOptions = (
  options: Options,
  environment: Environment = {}
): Result.Result<ResolvedOptions, GradientError.InvalidParamsError> => {
  const variable = options.baseUrl === undefined ? environment.baseUrl : undefined
  const key = authorization(options, environment)
  const base = { accept: "application/json, text/event-stream", ...Result.getOrUndefined(key) }
  const parts = {
    toUrl: baseUrl(variable?.name ?? "baseUrl", variable?.value ?? options.baseUrl ?? defaultBaseUrl),
    headers: Check.headers(base, options.headers),
    model: modelOf(options, environment),
    timeout: Check.duration("timeout", options.timeout, Duration.minutes(10)),
    idleTimeout: Check.duration("idleTimeout", options.idleTimeout, Duration.minutes(5)),
    deadline: Check.duration("deadline", options.deadline, Duration.minutes(30)),
    retry: Check.retryPolicy(options.retry, RetryPolicy.chargeSafe),
    limits: limitsOf(options),
    propagateTrace: propagateTraceOf(options),
    transformClient: transformOf(options)
  }
  const issues = issuesOf({ key, ...parts })
  if (issues.length > 0) return Result.fail(invalidParams(issues, base))
  return Result.all(parts).pipe(
    Result.map((resolved) => ({ ...resolved, server: serverOf(resolved.toUrl) })),
    Result.mapError(invalidParams)
  )
}
