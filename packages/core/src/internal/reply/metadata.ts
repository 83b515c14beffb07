/**
 * Removes from a reply the metadata that cannot be decoded. This is needed only for replies that do not follow the
 * API.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { GeneratedImage } from "../../GeneratedImage.ts"
import { ImageGenerateResponse, Usage } from "../../ImageGenerateResponse.ts"
import { Completed } from "../../ImageGenStreamEvent.ts"
import { isList, property } from "../property.ts"
import { settingsFields } from "../responseFields.ts"
import { Count } from "../schemaFields.ts"

/** An object without the members that cannot be decoded, and the paths of those members. */
export interface Repaired {
  readonly readable: object
  readonly unreadable: ReadonlyArray<string>
}

type Field = Schema.Codec<unknown, unknown>

const canDecode = (schema: Field, value: unknown): boolean =>
  Result.isSuccess(Schema.decodeUnknownResult(schema)(value))

const snakeCase = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** Removes each member of `holder` that the schema of its field cannot decode. */
const repair = (holder: object, fields: Readonly<Record<string, Field>>): Repaired => {
  const unreadable = Object.entries(fields)
    .map(([name, schema]) => ({ schema, name: snakeCase(name) }))
    .filter(({ name, schema }) => property(holder, name) != null && !canDecode(schema, property(holder, name)))
    .map(({ name }) => name)
  const readable = Object.fromEntries(Object.entries(holder).filter(([name]) => !unreadable.includes(name)))
  return { readable, unreadable }
}

const { inputTokensDetails, outputTokens, outputTokensDetails } = Usage.to.fields
const usageFields = { inputTokensDetails, outputTokens, outputTokensDetails }

/** Removes the output tokens and the details of `usage` if they cannot be decoded, and keeps the rest of `usage`. */
const repairUsage = (holder: object): Repaired => {
  const usage = property(holder, "usage")
  if (!Predicate.isObject(usage)) return { readable: holder, unreadable: [] }
  const { readable, unreadable } = repair(usage, usageFields)
  return { readable: { ...holder, usage: readable }, unreadable: unreadable.map((name) => `usage.${name}`) }
}

const { usage } = ImageGenerateResponse.fields
const { revisedPrompt } = GeneratedImage.fields
const { outputFormat } = settingsFields
const { createdAt } = Completed.fields

const isReadable = (schema: Field, value: unknown) => value != null && canDecode(schema, value)

/**
 * Removes from a response the metadata that cannot be decoded. Without a valid `created`, `arrivedAt` is used, which is
 * in milliseconds since 1970.
 */
export const repairResponse = (response: object, arrivedAt: number): Repaired => {
  const { readable: counted, unreadable: details } = repairUsage(response)
  const { readable, unreadable } = repair(counted, { created: createdAt, ...settingsFields, usage })
  const data = property(response, "data")
  const items = isList(data)
    ? data.map((item) => (Predicate.isObject(item) ? repair(item, { outputFormat, revisedPrompt }) : undefined))
    : []
  return {
    readable: {
      ...readable,
      created: property(readable, "created") ?? arrivedAt / 1000,
      ...(isList(data) ? { data: data.map((item, at) => items[at]?.readable ?? item) } : {})
    },
    unreadable: [
      ...unreadable,
      ...details,
      ...items.flatMap((item, at) => (item?.unreadable ?? []).map((name) => `data[${at}].${name}`))
    ]
  }
}

/**
 * Removes from an event the metadata that cannot be decoded. Without a valid index of a partial image, `nextIndex` is
 * used.
 */
export const repairEvent = (event: object, nextIndex: number): Repaired => {
  const { readable: counted, unreadable: details } = repairUsage(event)
  const { readable, unreadable } = repair(counted, { createdAt, ...settingsFields, revisedPrompt, usage })
  const wireIndex = property(event, "partial_image_index")
  const index = isReadable(Count, wireIndex) ? Number(wireIndex) : Number.NaN
  const isIndex = Number.isSafeInteger(index) && index >= 0
  return {
    readable: { ...readable, partial_image_index: isIndex ? index : nextIndex },
    unreadable: [...unreadable, ...details, ...(wireIndex == null || isIndex ? [] : ["partial_image_index"])]
  }
}
