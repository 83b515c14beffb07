/**
 * From a request's body to what is to be painted. Core's own schemas read it; beyond their rules the emulator refuses
 * values that the API is not known to take, so that a spelling mistake is found before it costs money.
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { Format } from "../painting/Encoding.ts"
import type { Quality } from "../painting/Painting.ts"
import { Refusal } from "./Refusal.ts"

/** What is asked for, with nothing left open. */
export interface Order {
  readonly prompt: string
  readonly model: string
  readonly n: number
  readonly width: number
  readonly height: number
  readonly quality: Quality
  readonly background: "opaque" | "transparent"
  readonly format: Format
  readonly compression: number
  /** How many pictures come before each last one; `undefined` where no stream is asked for. */
  readonly partialImages: number | undefined
}

type Params = ImageGenerateParams.ImageGenerateParams

const all = { errors: "all" } as const
const decodeParams = Schema.decodeUnknownResult(ImageGenerateParams.Json, all)
const decodeMode = Schema.decodeUnknownResult(
  Schema.Struct({ stream: Schema.optional(Schema.NullOr(Schema.Boolean)) }),
  all
)
const checkParams = Schema.decodeUnknownResult(Schema.toType(ImageGenerateParams.ImageGenerateParams), all)
const checkStreaming = Schema.decodeUnknownResult(Schema.toType(ImageGenerateParams.ImageGenerateParamsStreaming), all)
const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** Core says `outputFormat`; whoever speaks to the endpoint says `output_format`. */
const onTheWire = (text: string): string =>
  text.replace(/outputCompression|outputFormat|partialImages/g, (name) =>
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  )

const refuse = (message: string, param?: string) =>
  new Refusal({ status: 400, message, code: "invalid_value", ...(param === undefined ? {} : { param }) })

/** The first issue names the parameter, and the message tells all of them. */
const refuseIssues = ({ issue }: Schema.SchemaError): Refusal => {
  const issues = format(issue).issues.map(({ message, path = [] }) => ({
    param: onTheWire(path.map(String).join(".")),
    message: onTheWire(message)
  }))
  const message = issues.map(({ message: what, param }) => (param === "" ? what : `'${param}': ${what}`)).join("; ")
  return refuse(`Invalid request: ${message}.`, issues[0]?.param || undefined)
}

/** The value, if it is one of those that the API takes. */
const oneOf = <const A extends string>(
  param: keyof typeof ImageGenerateParams.Json.Encoded,
  value: string | undefined,
  ...allowed: readonly [A, ...ReadonlyArray<A>]
): Result.Result<A, Refusal> => {
  const found = value === undefined ? allowed[0] : allowed.find((one) => one === value)
  return found === undefined
    ? Result.fail(refuse(`Invalid value: the emulator knows '${param}' ${allowed.join(", ")} (got "${value}").`, param))
    : Result.succeed(found)
}

const smallest = 64
const largest = 3840

const sizeOf = (size = "auto"): Result.Result<readonly [width: number, height: number], Refusal> => {
  const [, width, height] = /^(\d{2,4})x(\d{2,4})$/.exec(size === "auto" ? "1024x1024" : size) ?? []
  const pixels = [Number(width), Number(height)] as const
  return pixels.every((side) => side >= smallest && side <= largest)
    ? Result.succeed(pixels)
    : Result.fail(
        refuse(`Invalid value: 'size' is auto or WIDTHxHEIGHT, each from ${smallest} to ${largest} pixels.`, "size")
      )
}

const orderOf = (params: Params, stream: boolean, defaultModel: string): Result.Result<Order, Refusal> =>
  Result.gen(function* () {
    const quality = yield* oneOf("quality", params.quality, "auto", "max", "xhigh", "high", "medium", "low")
    const background = yield* oneOf("background", params.background, "auto", "opaque", "transparent")
    const outputFormat = yield* oneOf("output_format", params.outputFormat, "png", "webp", "jpeg", "gif")
    yield* oneOf("moderation", params.moderation, "auto", "low")
    const [width, height] = yield* sizeOf(params.size)
    return {
      prompt: params.prompt,
      model: params.model ?? defaultModel,
      n: params.n ?? 1,
      width,
      height,
      quality: quality === "auto" ? "medium" : quality,
      background: background === "auto" ? "opaque" : background,
      format: outputFormat,
      compression: params.outputCompression ?? 100,
      partialImages: stream ? (params.partialImages ?? 1) : undefined
    }
  })

const read = (body: string, defaultModel: string): Result.Result<Order, Refusal> =>
  Result.gen(function* () {
    const json = yield* Result.mapError(
      Result.try((): unknown => JSON.parse(body)),
      () => refuse("The body is not JSON.")
    )
    const params = yield* Result.mapError(decodeParams(json), refuseIssues)
    const { stream } = yield* Result.mapError(decodeMode(json), refuseIssues)
    if (stream !== true && params.partialImages !== undefined && params.partialImages !== 0) {
      return yield* Result.fail(refuse("'partial_images': only with stream: true.", "partial_images"))
    }
    const checked = yield* Result.mapError((stream ? checkStreaming : checkParams)(params), refuseIssues)
    return yield* orderOf(checked, stream === true, defaultModel)
  })

/** What a request with this body asks for. */
export const fromBody = (body: string, defaultModel: string): Effect.Effect<Order, Refusal> =>
  Effect.fromResult(read(body, defaultModel))
