/** Reads the body of an error response, in the forms that the service, gateways and relays are known to send. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { isList, property } from "../property.ts"
import { oneLine, shorten, visibleText } from "./visibleText.ts"

/** What is read from an error in the body of a response. All of it but `status` becomes fields of the reason. */
export interface ErrorBody {
  readonly description?: string | undefined
  readonly code?: string | undefined
  readonly type?: string | undefined
  readonly param?: string | undefined
  readonly requestId?: string | undefined
  /**
   * An HTTP status of 4xx or 5xx found in the body. It can be an upstream's status, or that of an error within a reply
   * with status 2xx.
   */
  readonly status?: number | undefined
}

/**
 * Parses JSON, and redacts secrets in the parsed string values, because JSON escapes can hide a secret in the unparsed
 * text.
 */
export const parseJson = (text: string, redact: (text: string) => string): Result.Result<unknown, unknown> =>
  Result.try((): unknown =>
    JSON.parse(text, (_, value: unknown) => (Predicate.isString(value) ? redact(value) : value))
  )

/**
 * The most levels of nested values that are read below the outermost value (`deepest`), and the most errors of one
 * list, or fields of one object of errors (`mostErrors`).
 */
const deepest = 6
const mostErrors = 10

/**
 * Whether a value has content. `{}`, `null`, a string of white space, `false`, `0`, `[]` and values that contain only
 * these have no content. A list or an object below the level `deepest` counts as content.
 */
const hasContent = (value: unknown, depth = 0): boolean => {
  if (Predicate.isString(value)) return value.trim() !== ""
  if (!Predicate.isObjectOrArray(value) || depth > deepest) return Boolean(value)
  return Object.values(value).some((member) => hasContent(member, depth + 1))
}

/** A string or number member as one short line of text, such as a code. `undefined` for other types. */
const nameOf = (holder: object, name: string): string | undefined => {
  const value = property(holder, name)
  if (Predicate.isNumber(value)) return String(value)
  return Predicate.isString(value) ? oneLine(value) : undefined
}

/** The text if it looks like a code (`too_many_requests`). A sentence, "Bad Request" and an id with digits do not. */
const asCode = (text: string | undefined) =>
  text !== undefined && /^[a-z]+([_.-][a-z]+)*$/.test(text) ? text : undefined

const asStatus = (text: string | undefined): number | undefined =>
  text !== undefined && /^[45]\d\d$/.test(text) ? Number(text) : undefined

const distinct = (texts: ReadonlyArray<string | undefined>): ReadonlyArray<string> => {
  const kept: Array<string> = []
  for (const text of texts) if (text !== undefined && !kept.some((other) => other.includes(text))) kept.push(text)
  return kept
}

/** Takes each field from the first body that has it. The description is the given one. */
const merge = (bodies: ReadonlyArray<ErrorBody | undefined>, description: string | undefined): ErrorBody => {
  const first = <Name extends keyof ErrorBody>(name: Name) => bodies.find((body) => body?.[name] !== undefined)?.[name]
  return {
    description,
    code: first("code"),
    type: first("type"),
    param: first("param"),
    requestId: first("requestId"),
    status: first("status")
  }
}

const read = (value: unknown, depth: number): ErrorBody | undefined => {
  if (depth > deepest) return undefined
  if (Predicate.isString(value)) return parseText(value, depth)
  if (isList(value)) return readList(value, depth)
  return Predicate.isObject(value) ? readObject(value, depth) : undefined
}

/** Reads an error from text. Some relays pass on the JSON error of their upstream as text, sometimes after a prefix. */
const parseText = (text: string, depth: number): ErrorBody => {
  const [, prefix = "", json] = /^([^{[]{0,300})([{[][\s\S]*[}\]])\s*$/.exec(text) ?? []
  const parsed = json === undefined ? undefined : Result.try((): unknown => JSON.parse(json))
  const inner = parsed !== undefined && Result.isSuccess(parsed) ? read(parsed.success, depth + 1) : undefined
  if (inner?.description === undefined) return { description: visibleText(text) }
  return { ...inner, description: shorten([oneLine(prefix), inner.description].filter(isText).join(" ")) }
}

const readList = (list: ReadonlyArray<unknown>, depth: number): ErrorBody => {
  const bodies = list.slice(0, mostErrors).map((item) => read(item, depth + 1))
  const description = oneLine(distinct(bodies.map((body) => body?.description)).join("; "))
  return merge(bodies, description)
}

/** Reads an object with a list of errors for each invalid field: `{ "size": ["must be ..."] }`. */
const readFields = (fields: object, depth: number): ErrorBody => {
  const named = Object.entries(fields).slice(0, mostErrors)
  const texts = named.map(([name, value]) => {
    const description = read(value, depth + 1)?.description
    return description === undefined ? undefined : `${name}: ${description}`
  })
  return { description: oneLine(distinct(texts).join("; ")), param: named[0]?.[0] }
}

/**
 * The refused param, from FastAPI's path in `loc`: its parts without `body`, joined by dots. `["body", "size"]` gives
 * `size`.
 */
const placeOf = (holder: object): string | undefined => {
  const loc = property(holder, "loc")
  if (!isList(loc)) return undefined
  return oneLine(
    loc.filter((part) => part !== "body" && (Predicate.isString(part) || Predicate.isNumber(part))).join(".")
  )
}

/** The fields that the error object itself contains, without those of errors nested in it. */
const ownMembers = (holder: object): ErrorBody => {
  const error = nameOf(holder, "error")
  const code = nameOf(holder, "code")
  const statuses = [code, nameOf(holder, "status"), nameOf(holder, "statusCode"), nameOf(holder, "status_code")]
  return {
    code: code ?? asCode(nameOf(holder, "id")) ?? asCode(error),
    type: nameOf(holder, "type"),
    param: nameOf(holder, "param") ?? placeOf(holder),
    requestId: nameOf(holder, "request_id"),
    status: statuses.map(asStatus).find(Predicate.isNotUndefined) ?? asStatus(error)
  }
}

/** Reads the member `errors`: one error, a list of errors, or an object with errors for each field. */
const readErrors = (errors: unknown, depth: number): ErrorBody | undefined => {
  const body = read(errors, depth + 1)
  const isRead = body?.description !== undefined || isList(errors) || !Predicate.isObject(errors)
  return isRead ? body : readFields(errors, depth + 1)
}

/** Names of the members in which a service or a relay passes on the error of its upstream. */
const innerErrors = ["details", "innererror", "inner_error", "metadata", "raw"]

/**
 * Reads an error object. If `error` is a string, it is often only the name of the status, so it becomes the description
 * only if the object has no other message.
 */
const readObject = (holder: object, depth: number): ErrorBody => {
  const at = (name: string) => read(property(holder, name), depth + 1)
  const error = at("error")
  const isName = Predicate.isString(property(holder, "error"))
  const message = at("message")
  const detail = at("detail")
  const errors = readErrors(property(holder, "errors"), depth)
  const headline = [isName ? undefined : error, message, at("error_description"), at("msg")]
  const inner = innerErrors.map(at)
  // Details are more precise than the message, which is often only the name of the status. The description contains
  // both.
  const informative = distinct(
    [headline, [detail], [errors], inner].map((bodies) => bodies.map(descriptionOf).find(isText))
  )
  const texts = informative.length > 0 ? informative : distinct([descriptionOf(at("title") ?? error)])
  const description = texts.length > 0 ? oneLine(joined([placeOf(holder), ...texts].filter(isText))) : undefined
  const own = ownMembers(holder)
  const merged = merge([error, message, own, detail, errors, ...inner], description)
  return { ...merged, requestId: own.requestId ?? merged.requestId }
}

/** Joins texts with colons. The first text is the most general, the last the most precise. */
const joined = (texts: ReadonlyArray<string>) =>
  texts.map((text, index) => (index === texts.length - 1 ? text : text.replace(/[.:]$/, ""))).join(": ")

const descriptionOf = (body: ErrorBody | undefined) => body?.description
const isText = Predicate.isNotUndefined

export const errorBodyOf = (value: unknown): ErrorBody => read(value, 0) ?? {}

/**
 * Parses the body of an error response. The description comes from JSON of any form, else from the title of an HTML
 * page, else from the first visible words.
 */
export const parseErrorBody = (text: string, redact: (text: string) => string): ErrorBody => {
  const shown = redact(text)
  const parsed = parseJson(shown, redact)
  if (Result.isFailure(parsed)) return { description: visibleText(shown) }
  const body = errorBodyOf(parsed.success)
  const isSilent = body.description === undefined && body.code === undefined && body.type === undefined
  return isSilent && hasContent(parsed.success) ? { ...body, description: oneLine(shown) } : body
}

const failureName = /error|fail/i

/**
 * Whether an object has a mark of an error besides a message: a status, a code, `success: false`, or a `type` or
 * `status` that names an error or a failure.
 */
const hasErrorMark = (holder: object): boolean => {
  const { code, status } = ownMembers(holder)
  return (
    status !== undefined ||
    asCode(code) !== undefined ||
    property(holder, "success") === false ||
    [nameOf(holder, "type"), nameOf(holder, "status")].some((name) => name !== undefined && failureName.test(name))
  )
}

const hasImages = (holder: object) =>
  ["data", "b64_json", "url"].some(
    (name) => hasContent(property(holder, name)) || Predicate.isNumber(property(holder, name))
  )

/**
 * Whether a value in a reply with status 2xx is an error. If the member `error` is `{}`, null, "", false or [], it does
 * not make the value an error. A message alone does not either, because it can be a progress report.
 */
export const isErrorValue = (value: unknown): boolean => isErrorAt(value, 0)

const isErrorAt = (value: unknown, depth: number): boolean => {
  if (depth > deepest) return false
  if (isList(value)) return value.length > 0 && value.every((item) => isErrorAt(item, depth + 1))
  if (!Predicate.isObject(value)) return false
  if (hasContent(property(value, "error")) || hasContent(property(value, "errors"))) return true
  return !hasImages(value) && hasErrorMark(value) && errorBodyOf(value).description !== undefined
}
