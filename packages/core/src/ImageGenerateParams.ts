/**
 * The params of `POST /v1/images/generations`, and the rules that are checked before anything is sent. Values of model,
 * size, quality and format that this version does not know are allowed. A rule for some models is not applied to other
 * models.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { countOf, type Issue, kindOf, readMembers, renderIssue, show } from "./internal/issue.ts"
import { property } from "./internal/property.ts"
import { sendable, sendableNonNull, suggest } from "./internal/schemaFields.ts"

export { Issue, renderIssue, renderIssues } from "./internal/issue.ts"

/**
 * The model of a call if neither the call nor the layer sets one. `layerFromConfig` first looks in
 * `GRADIENT_IMAGE_MODEL`.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultModel = "openai-gpt-image-2"

const Fields = Schema.Struct({
  /** What the image shows: 1 to 32,000 characters, not only white space. */
  prompt: Schema.String,
  /** The model. `Models.list` lists the service's models. Default: the layer's `model`, else `openai-gpt-image-2`. */
  model: sendableNonNull(suggest<"openai-gpt-image-2" | "openai-gpt-image-1.5" | "stable-diffusion-3.5-large">()),
  /** How many images, 1 to 10. Default: 1. */
  n: sendable(Schema.Finite),
  /** The background of the image. With the format jpeg, `transparent` is refused. */
  background: sendable(suggest<"transparent" | "opaque" | "auto">()),
  /** How much computation the service spends on planning the image. Independent of `quality`. */
  complexity: sendable(suggest<"low" | "medium" | "high">()),
  /** How strictly the service moderates the request. */
  moderation: sendable(suggest<"low" | "auto">()),
  /** The quality of the compression from 0 to 100, for the formats webp and jpeg. Wire: `output_compression`. */
  outputCompression: sendable(Schema.Finite),
  /** The file format of the image. Wire: `output_format`. */
  outputFormat: sendable(suggest<"png" | "webp" | "jpeg" | "gif" | "svg">()),
  /** The quality of the image. From `high` on, the service takes minutes. */
  quality: sendable(suggest<"auto" | "low" | "medium" | "high" | "xhigh" | "max">()),
  /** A stable, anonymous identifier of the end user. Wire: `safety_identifier`. */
  safetyIdentifier: sendable(Schema.String),
  /** Width and height in pixels, such as `1024x1024`, or `auto`. */
  size: sendable(
    suggest<"auto" | "1024x1024" | "1536x1024" | "1024x1536" | "2048x2048" | "3840x2160" | "512x512" | "256x256">()
  ),
  /** Your own identifier of the end user, up to 256 characters. */
  user: sendable(Schema.String)
})

const StreamingFields = Schema.Struct({
  ...Fields.fields,
  /**
   * How many partial images of each image the service should send: at least 1, and at most 3 for gpt-image models.
   * Default: 1. Wire: `partial_images`.
   */
  partialImages: sendable(Schema.Finite)
})

/**
 * Which function the call uses: `generate` for `Images.generate`, `stream` for `Images.generateStream`.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = "generate" | "stream"

/**
 * The params that `Images.generate` and `Images.generateStream` have in common, as a plain object: `{ prompt: "a sea
 * otter" }`.
 *
 * @category models
 * @since 0.1.0
 */
export type ImageGenerateParams = typeof Fields.Type

/**
 * The params of `Images.generate`. A reply that is not a stream has no partial images, so setting `partialImages` does
 * not compile.
 *
 * @category models
 * @since 0.1.0
 */
export type ImageGenerateParamsNonStreaming = ImageGenerateParams & { readonly partialImages?: never }

/**
 * The params of `Images.generateStream`.
 *
 * @category models
 * @since 0.1.0
 */
export type ImageGenerateParamsStreaming = typeof StreamingFields.Type

// ---------------------------------------------------------------------------------------------------------------------
// Names and defaults
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The names on the wire of the params that have a different name there.
 *
 * @category wire
 * @since 0.1.0
 */
export const wireNames = {
  outputCompression: "output_compression",
  outputFormat: "output_format",
  partialImages: "partial_images",
  safetyIdentifier: "safety_identifier"
} as const

const isRenamed = (param: string): param is keyof typeof wireNames => Object.hasOwn(wireNames, param)

/**
 * The name of a param on the wire: `output_format` for `outputFormat`.
 *
 * @category wire
 * @since 0.1.0
 */
export const wireNameOf = (param: string): string => (isRenamed(param) ? wireNames[param] : param)

/**
 * The names of all params.
 *
 * @category wire
 * @since 0.1.0
 */
export const names: ReadonlyArray<string> = Object.keys(StreamingFields.fields)

/**
 * The params in a request's body, by their names in this library. They are unchecked: pass them to `check`. Other
 * members of the body are left out.
 *
 * @category wire
 * @since 0.1.0
 */
export const fromWire = (body: object): Readonly<Record<string, unknown>> =>
  Object.fromEntries(names.map((name) => [name, property(body, wireNameOf(name))]))

/**
 * Adds the defaults of `model`, `n` and, for a stream, `partialImages` if they are absent or null. The API requires
 * `model` and `n`.
 *
 * @category defaults
 * @since 0.1.0
 */
export const withDefaults = <
  P extends { readonly model?: unknown; readonly n?: unknown; readonly partialImages?: unknown }
>(
  params: P,
  kind: Kind,
  model: string = defaultModel
) => ({
  ...params,
  model: params.model ?? model,
  n: params.n ?? 1,
  ...(kind === "stream" ? { partialImages: params.partialImages ?? 1 } : {})
})

// ---------------------------------------------------------------------------------------------------------------------
// Rules
// ---------------------------------------------------------------------------------------------------------------------

/** Params whose types were checked. */
type Typed = { readonly [Name in keyof ImageGenerateParamsStreaming]?: ImageGenerateParamsStreaming[Name] }

/** A rule for a param. Returns what is allowed if the params break the rule, else `undefined`. */
type Rule = (params: Typed, kind: Kind) => { readonly allowed: string; readonly given?: string } | undefined

const isGptImage = (model = defaultModel) => /^(openai-)?gpt-image/.test(model)

const isLongerThan = (text: string, maximum: number) => text.length > maximum && countOf(text) > maximum

/** Checks that a number is whole and within a range. Without `maximum`, the range has no upper end. */
const within = (value: number | undefined, minimum: number, maximum?: number) => {
  if (value === undefined || (value >= minimum && value <= (maximum ?? value) && Number.isInteger(value))) {
    return undefined
  }
  if (!Number.isInteger(value)) return { allowed: "a whole number" }
  return { allowed: maximum === undefined ? `at least ${minimum}` : `${minimum} to ${maximum}` }
}

const shortText = (text: string | undefined) =>
  text !== undefined && isLongerThan(text, 256) ? { allowed: "up to 256 characters" } : undefined

/**
 * The rules of the params. Only the first broken rule of a param is reported. The texts do not name other params,
 * because the command line has flags instead of params.
 */
const rules: { readonly [Name in keyof ImageGenerateParamsStreaming]?: ReadonlyArray<Rule> } = {
  prompt: [
    ({ prompt }) =>
      prompt === "" || isLongerThan(prompt ?? "", 32_000) ? { allowed: "1 to 32,000 characters" } : undefined,
    ({ prompt }) => (prompt?.trim() === "" ? { allowed: "more than white space" } : undefined),
    ({ prompt }) =>
      prompt?.isWellFormed() === false ? { allowed: "valid Unicode", given: "half of a surrogate pair" } : undefined
  ],
  model: [({ model }) => (model?.trim() === "" ? { allowed: "the name of a model" } : undefined)],
  n: [({ n }) => within(n, 1, 10)],
  background: [
    ({ background, outputFormat }) =>
      background === "transparent" && outputFormat === "jpeg"
        ? { allowed: "opaque or auto if the format is jpeg" }
        : undefined
  ],
  outputCompression: [
    ({ outputCompression }) => within(outputCompression, 0, 100),
    ({ outputCompression = 100, outputFormat = "png" }) =>
      outputCompression < 100 && outputFormat === "png" ? { allowed: "100 if the format is png or not set" } : undefined
  ],
  partialImages: [
    ({ model, partialImages }, kind) =>
      kind === "stream" ? within(partialImages, 1, isGptImage(model) ? 3 : undefined) : undefined,
    // 0 is allowed for `generate`, because it is the API's default for a request that does not stream.
    ({ partialImages }, kind) =>
      kind === "generate" && (partialImages ?? 0) !== 0
        ? { allowed: "left out if the call does not stream" }
        : undefined
  ],
  user: [({ user }) => shortText(user)]
}

/** The first broken rule of each param. */
const brokenRules = (params: Typed, kind: Kind): ReadonlyArray<Issue> =>
  Object.entries(rules).flatMap(([param, ofParam]) => {
    for (const rule of ofParam) {
      const broken = rule(params, kind)
      if (broken !== undefined) return [{ param, given: show(property(params, param)), ...broken }]
    }
    return []
  })

const numeric: ReadonlySet<string> = new Set(["n", "outputCompression", "partialImages"])

const hasItsType = (name: string, value: unknown) =>
  numeric.has(name) ? Predicate.isNumber(value) : Predicate.isString(value)

/**
 * Whether a param counts as absent. A null counts as absent, except for `prompt` and `model`, for which the API refuses
 * null. An undefined `prompt` does not count as absent, because it is required.
 */
const isAbsent = (name: string, value: unknown) =>
  name !== "prompt" && (value === undefined || (value === null && name !== "model"))

const isTyped = (params: Readonly<Record<string, unknown>>): params is Typed =>
  names.every((name) => params[name] === undefined || hasItsType(name, params[name]))

/**
 * Checks params without throwing. Returns an issue for each param that has the wrong type or breaks a rule, and an
 * empty list if the params can be sent. As in the API, a param that is null counts as absent, except for `prompt` and
 * `model`. If `model` is absent, the rules of `defaultModel` apply.
 *
 * @example
 * ```ts
 * import { ImageGenerateParams } from "@effect-gradient/core"
 *
 * const issues = ImageGenerateParams.check({ prompt: "A sea otter", n: 11 }, "generate")
 * // [{ param: "n", given: "11", allowed: "1 to 10" }]
 * const text = ImageGenerateParams.renderIssues(issues) // "n must be 1 to 10 (got 11)"
 * ```
 *
 * @category rules
 * @since 0.1.0
 */
export const check = (params: unknown, kind: Kind): ReadonlyArray<Issue> => {
  const read = readMembers(params, names)
  if (Result.isFailure(read)) return [read.failure]
  const values = read.success
  const present = names.filter((name) => !isAbsent(name, values[name]))
  const wrong = present.filter((name) => !hasItsType(name, values[name]))
  const right = present.filter((name) => !wrong.includes(name))
  const typed = Object.fromEntries(right.map((name) => [name, values[name]]))
  return [
    ...wrong.map((param) => ({
      param,
      given: kindOf(values[param]),
      allowed: numeric.has(param) ? "a number" : "a string"
    })),
    ...(isTyped(typed) ? brokenRules(typed, kind) : [])
  ]
}

// ---------------------------------------------------------------------------------------------------------------------
// Schemas
// ---------------------------------------------------------------------------------------------------------------------

const allRules = (kind: Kind) =>
  Schema.makeFilter<Typed>((params) =>
    brokenRules(params, kind).map((issue) => ({ path: [issue.param], issue: renderIssue(issue) }))
  )

/**
 * The schema of the params of `Images.generate`. It also checks the rules of these params.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ImageGenerateParams = Fields.check(allRules("generate"))

/**
 * The schema of the params of `Images.generateStream`. It also checks the rules of these params.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ImageGenerateParamsStreaming = StreamingFields.check(allRules("stream"))

/**
 * A codec between the params and the request's body. Params that are absent are left out of the body, and a null in the
 * body, except for `prompt` and `model`, is decoded as absent. It checks types, not rules.
 *
 * @category codecs
 * @since 0.1.0
 */
export const Json = StreamingFields.pipe(Schema.encodeKeys(wireNames))
