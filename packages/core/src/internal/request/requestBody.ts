/**
 * From params to the body of a request: every rule is checked before anything is sent.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type * as GradientError from "../../GradientError.ts"
import * as ImageGenerateParams from "../../ImageGenerateParams.ts"
import { invalidParams } from "./invalidParams.ts"
import { property } from "../property.ts"

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

const broken = ({ issue }: Schema.SchemaError) =>
  invalidParams(format(issue).issues.map(({ message, path = [] }) => ({ param: path.map(String).join("."), message })))

export interface RequestBody {
  /** The body's text, the same on each attempt. */
  readonly json: string
  /** How many images are to come. */
  readonly n: number
}

const unwritable = (cause: unknown) =>
  invalidParams([{ param: "extraBody", message: `cannot be written as JSON: ${String(cause)}` }])

/** The members as JSON has them: what JSON leaves out would take a required member away. */
const asJson = (members: object): Effect.Effect<object, GradientError.InvalidParamsError> =>
  Effect.try({ try: (): unknown => JSON.parse(JSON.stringify(members)), catch: unwritable }).pipe(
    Effect.filterOrFail(Predicate.isObject, () => unwritable("not an object"))
  )

/** The body, with what the API requires and the params leave out. */
export const requestBody = Effect.fnUntraced(function* (
  params: ImageGenerateParams.ImageGenerateParams,
  stream: boolean,
  extraBody: Readonly<Record<string, unknown>> = {}
) {
  const checked = yield* Effect.mapError((stream ? checkStreaming : checkNonStreaming)(params), broken)
  const wire = encode(checked)
  const members = {
    ...(stream ? { partial_images: 1 } : {}),
    model: ImageGenerateParams.defaultModel,
    ...wire,
    n: wire.n ?? 1,
    ...(yield* asJson(extraBody)),
    stream: stream || undefined
  }
  const body: RequestBody = { json: JSON.stringify(members), n: Number(property(members, "n")) || 1 }
  return body
})
