/**
 * From params to the body of a request: every rule is checked before anything is sent.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as GradientError from "../GradientError.ts"
import * as ImageGenerateParams from "../ImageGenerateParams.ts"

const rules = { errors: "all" } as const
const checkNonStreaming = Schema.decodeUnknownEffect(
  Schema.toType(ImageGenerateParams.ImageGenerateParamsNonStreaming),
  rules
)
const checkStreaming = Schema.decodeUnknownEffect(
  Schema.toType(ImageGenerateParams.ImageGenerateParamsStreaming),
  rules
)
const encode = Schema.encodeSync(ImageGenerateParams.Json)
const format = SchemaIssue.makeFormatterStandardSchemaV1()

const invalidParams = ({ issue }: Schema.SchemaError): GradientError.InvalidParamsError => {
  const issues = format(issue).issues.map(({ message, path = [] }) => ({ param: path.map(String).join("."), message }))
  const description = issues.map(({ message, param }) => (param === "" ? message : `${param}: ${message}`)).join("; ")
  return new GradientError.InvalidParamsError({ description, issues })
}

export interface RequestBody {
  readonly [member: string]: unknown
  /** How many images are to come. */
  readonly n: number
}

/** The body, with what the API requires and the params leave out. */
export const requestBody = (
  params: ImageGenerateParams.ImageGenerateParams,
  stream: boolean,
  extraBody: Readonly<Record<string, unknown>> = {}
): Effect.Effect<RequestBody, GradientError.InvalidParamsError> =>
  (stream ? checkStreaming : checkNonStreaming)(params).pipe(
    Effect.mapError(invalidParams),
    Effect.map((checked) => {
      const { stream: _, ...extra } = extraBody
      const wire = encode(checked)
      const required = { model: ImageGenerateParams.defaultModel, ...wire, n: wire.n ?? 1 }
      return { ...(stream ? { partial_images: 1 } : {}), ...required, ...extra, ...(stream ? { stream } : {}) }
    })
  )
