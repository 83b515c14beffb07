/**
 * Reads the body of an error in any of the forms that servers send.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { isList, property } from "../property.ts"
import { oneLine, shorten, visibleText } from "./visibleText.ts"

/** The fields of a reason that are read from the body of an error. */
export interface ErrorBody {
  readonly description?: string | undefined
  readonly code?: string | undefined
  readonly type?: string | undefined
  readonly param?: string | undefined
  readonly requestId?: string | undefined
  /** An HTTP status in the body, such as that of an upstream, or of an error within a 200. */
  readonly status?: number | undefined
}

/** Parses JSON and redacts secrets in the parsed strings, because escapes can hide a secret in the text. */
export const parseJson = (text: string, redact: (text: string) => string): Result.Result<unknown, unknown> =>
  Result.try((): unknown =>
    JSON.parse(text, (_, value: unknown) => (Predicate.isString(value) ? redact(value) : value))
  )

/** How many levels of nested errors are read, and how many errors of a list. */
const deepest = 6
const mostErrors = 10

/** Whether a value has content. `{}`, `null`, `""`, `false`, `0`, `[]` and values that contain only these have none. */
const hasContent = (value: unknown, depth = 0): boolean => {
  if (Predicate.isString(value)) return value.trim() !== ""
  if (!Predicate.isObjectOrArray(value) || depth > deepest) return Boolean(value)
  return Object.values(value).some((member) => hasContent(member, depth + 1))
}

/** A member that is a short string, such as a code. Numbers are converted. */
const nameOf = (holder: object, name: string): string | undefined => {
  const value = property(holder, name)
  if (Predicate.isNumber(value)) return String(value)
  return Predicate.isString(value) ? oneLine(value) : undefined
}

/** The text if it looks like a code (`too_many_requests`), not like a sentence, "Bad Request" or an id with digits. */
const asCode = (text: string | undefined) =>
  text !== undefined && /^[a-z]+([_.-][a-z]+)*$/.test(text) ? text : undefined

/** The text as an HTTP status of 4xx or 5xx. */
const asStatus = (text: string | undefined): number | undefined =>
  text !== undefined && /^[45]\d\d$/.test(text) ? Number(text) : undefined

const distinct = (texts: ReadonlyArray<string | undefined>): ReadonlyArray<string> => {
  const kept: Array<string> = []
  for (const text of texts) if (text !== undefined && !kept.some((other) => other.includes(text))) kept.push(text)
  return kept
}

/** Takes each member from the first body that has it, except the description. */
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

/** Some relays pass on the error of their upstream as text, sometimes with a prefix of their own. */
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

/** Errors by field: `{ "size": ["must be ..."] }`. */
const readFields = (fields: object, depth: number): ErrorBody => {
  const named = Object.entries(fields).slice(0, mostErrors)
  const texts = named.map(([name, value]) => {
    const description = read(value, depth + 1)?.description
    return description === undefined ? undefined : `${name}: ${description}`
  })
  return { description: oneLine(distinct(texts).join("; ")), param: named[0]?.[0] }
}

/** FastAPI sends the path of a refused value: `["body", "size"]`. */
const placeOf = (holder: object): string | undefined => {
  const loc = property(holder, "loc")
  if (!isList(loc)) return undefined
  return oneLine(
    loc.filter((part) => part !== "body" && (Predicate.isString(part) || Predicate.isNumber(part))).join(".")
  )
}

/** The fields from the object itself, not from nested errors. */
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

/** The errors of the member `errors`: a list, or one entry for each field. */
const readErrors = (errors: unknown, depth: number): ErrorBody | undefined => {
  const body = read(errors, depth + 1)
  const isRead = body?.description !== undefined || isList(errors) || !Predicate.isObject(errors)
  return isRead ? body : readFields(errors, depth + 1)
}

/** Members in which a service or a relay passes on the error of its upstream. */
const innerErrors = ["details", "innererror", "inner_error", "metadata", "raw"]

/** A string in `error` is often only the name of the status, so it is used if the body has no other message. */
const readObject = (holder: object, depth: number): ErrorBody => {
  const at = (name: string) => read(property(holder, name), depth + 1)
  const error = at("error")
  const isName = Predicate.isString(property(holder, "error"))
  const message = at("message")
  const detail = at("detail")
  const errors = readErrors(property(holder, "errors"), depth)
  const headline = [isName ? undefined : error, message, at("error_description"), at("msg")]
  const inner = innerErrors.map(at)
  // Details are more precise than the message beside them, which is often only the name of the status. Both are kept.
  const informative = distinct(
    [headline, [detail], [errors], inner].map((bodies) => bodies.map(descriptionOf).find(isText))
  )
  const texts = informative.length > 0 ? informative : distinct([descriptionOf(at("title") ?? error)])
  const description = texts.length > 0 ? oneLine(joined([placeOf(holder), ...texts].filter(isText))) : undefined
  const own = ownMembers(holder)
  const merged = merge([error, message, own, detail, errors, ...inner], description)
  return { ...merged, requestId: own.requestId ?? merged.requestId }
}

/** Joins texts with colons, from the general to the precise. */
const joined = (texts: ReadonlyArray<string>) =>
  texts.map((text, index) => (index === texts.length - 1 ? text : text.replace(/[.:]$/, ""))).join(": ")

const descriptionOf = (body: ErrorBody | undefined) => body?.description
const isText = Predicate.isNotUndefined

/** Reads a parsed error. */
export const errorBodyOf = (value: unknown): ErrorBody => read(value, 0) ?? {}

/** Reads the text of an error's body: JSON of any form, else the title of a page, else its first visible words. */
export const parseErrorBody = (text: string, redact: (text: string) => string): ErrorBody => {
  const shown = redact(text)
  const parsed = parseJson(shown, redact)
  if (Result.isFailure(parsed)) return { description: visibleText(shown) }
  const body = errorBodyOf(parsed.success)
  const isSilent = body.description === undefined && body.code === undefined && body.type === undefined
  return isSilent && hasContent(parsed.success) ? { ...body, description: oneLine(shown) } : body
}

const failureName = /error|fail/i

/** Whether a member other than its message marks an object as an error. */
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
 * Whether a value in a reply with status 200 is an error. `error` with `{}`, null, "", false or [] is not an error. A
 * message without another mark of an error is not one either: it can be a progress report.
 */
export const isErrorValue = (value: unknown): boolean => isErrorAt(value, 0)

const isErrorAt = (value: unknown, depth: number): boolean => {
  if (depth > deepest) return false
  if (isList(value)) return value.length > 0 && value.every((item) => isErrorAt(item, depth + 1))
  if (!Predicate.isObject(value)) return false
  if (hasContent(property(value, "error")) || hasContent(property(value, "errors"))) return true
  return !hasImages(value) && hasErrorMark(value) && errorBodyOf(value).description !== undefined
}
