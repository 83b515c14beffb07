/**
 * Reads the body of an error, in whatever form a server writes it.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { property } from "../property.ts"
import { oneLine, shorten, visibleText } from "./visibleText.ts"

/** What the body of an error says. */
export interface ErrorBody {
  readonly description?: string | undefined
  readonly code?: string | undefined
  readonly type?: string | undefined
  readonly param?: string | undefined
  readonly requestId?: string | undefined
  /** An HTTP status that the body names: that of an upstream, or the only one if the response itself was a 200. */
  readonly status?: number | undefined
}

/** Parses JSON and conceals the secrets in its strings: a secret can be written with escapes. */
export const parseJson = (text: string, conceal: (text: string) => string): Result.Result<unknown, unknown> =>
  Result.try((): unknown =>
    JSON.parse(text, (_, value: unknown) => (Predicate.isString(value) ? conceal(value) : value))
  )

/** How deep an error within an error is followed, and how many errors of a list are named. */
const deepest = 6
const mostErrors = 10

const isList = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)

/** Whether a value says anything: `{}`, `null`, `""`, `false`, `0` and `[]` do not, nor does what holds only these. */
const says = (value: unknown, depth = 0): boolean => {
  if (Predicate.isString(value)) return value.trim() !== ""
  if (!Predicate.isObjectOrArray(value) || depth > deepest) return Boolean(value)
  return Object.values(value).some((member) => says(member, depth + 1))
}

/** A name, such as a code: numbers are read as their digits. */
const nameOf = (holder: object, name: string): string | undefined => {
  const value = property(holder, name)
  if (Predicate.isNumber(value)) return String(value)
  return Predicate.isString(value) ? oneLine(value) : undefined
}

/** A word such as `too_many_requests`, and not a sentence, "Bad Request" or an identifier with digits. */
const asCode = (text: string | undefined) =>
  text !== undefined && /^[a-z]+([_.-][a-z]+)*$/.test(text) ? text : undefined

/** A status of HTTP that means a failure, from a number or its digits. */
const asStatus = (text: string | undefined): number | undefined =>
  text !== undefined && /^[45]\d\d$/.test(text) ? Number(text) : undefined

const distinct = (texts: ReadonlyArray<string | undefined>): ReadonlyArray<string> => {
  const kept: Array<string> = []
  for (const text of texts) if (text !== undefined && !kept.some((other) => other.includes(text))) kept.push(text)
  return kept
}

/** The first value of each member but the description. */
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
  if (Predicate.isString(value)) return readText(value, depth)
  if (isList(value)) return readList(value, depth)
  return Predicate.isObject(value) ? readObject(value, depth) : undefined
}

/** Relays pass the error of their upstream on as text, with or without words of their own before it. */
const readText = (text: string, depth: number): ErrorBody => {
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

/** The errors of each field by its name: `{ "size": ["must be ..."] }`. */
const readFields = (fields: object, depth: number): ErrorBody => {
  const named = Object.entries(fields).slice(0, mostErrors)
  const texts = named.map(([name, value]) => {
    const description = read(value, depth + 1)?.description
    return description === undefined ? undefined : `${name}: ${description}`
  })
  return { description: oneLine(distinct(texts).join("; ")), param: named[0]?.[0] }
}

/** FastAPI names the place of a refused value: `["body", "size"]`. */
const placeOf = (holder: object): string | undefined => {
  const loc = property(holder, "loc")
  if (!isList(loc)) return undefined
  return oneLine(
    loc.filter((part) => part !== "body" && (Predicate.isString(part) || Predicate.isNumber(part))).join(".")
  )
}

/** The members of an object itself, without what is nested in it. */
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

/** The errors in a list, or by the names of fields. */
const readErrors = (errors: unknown, depth: number): ErrorBody | undefined => {
  const body = read(errors, depth + 1)
  const isRead = body?.description !== undefined || isList(errors) || !Predicate.isObject(errors)
  return isRead ? body : readFields(errors, depth + 1)
}

/** Members in which a service or a relay passes on the error of what is behind it. */
const innerErrors = ["details", "innererror", "inner_error", "metadata", "raw"]

/** A string in `error` is often only the name of the status, so it counts if nothing else is said. */
const readObject = (holder: object, depth: number): ErrorBody => {
  const at = (name: string) => read(property(holder, name), depth + 1)
  const error = at("error")
  const isName = Predicate.isString(property(holder, "error"))
  const message = at("message")
  const detail = at("detail")
  const errors = readErrors(property(holder, "errors"), depth)
  const headline = [isName ? undefined : error, message, at("error_description"), at("msg")]
  // Details say more than the message beside them, which is often only the name of the status: both are kept.
  const inner = innerErrors.map(at)
  const telling = distinct(
    [headline, [detail], [errors], inner].map((bodies) => bodies.map(descriptionOf).find(isText))
  )
  const words = telling.length > 0 ? telling : distinct([descriptionOf(at("title") ?? error)])
  const description = words.length > 0 ? oneLine(joined([placeOf(holder), ...words].filter(isText))) : undefined
  const own = ownMembers(holder)
  const merged = merge([error, message, own, detail, errors, ...inner], description)
  return { ...merged, requestId: own.requestId ?? merged.requestId }
}

/** What is said more exactly follows behind a colon. */
const joined = (texts: ReadonlyArray<string>) =>
  texts.map((text, index) => (index === texts.length - 1 ? text : text.replace(/[.:]$/, ""))).join(": ")

const descriptionOf = (body: ErrorBody | undefined) => body?.description
const isText = Predicate.isNotUndefined

/** What an error that was already parsed says. */
export const errorBodyOf = (value: unknown): ErrorBody => read(value, 0) ?? {}

/** What the text of an error's body says: JSON of any form, else the title of a page, else its first visible words. */
export const parseErrorBody = (text: string, conceal: (text: string) => string): ErrorBody => {
  const shown = conceal(text)
  const parsed = parseJson(shown, conceal)
  if (Result.isFailure(parsed)) return { description: visibleText(shown) }
  const body = errorBodyOf(parsed.success)
  const isSilent = body.description === undefined && body.code === undefined && body.type === undefined
  return isSilent && says(parsed.success) ? { ...body, description: oneLine(shown) } : body
}

const namesOfFailures = /error|fail/i

/** Whether something beside the words of an object marks it as an error. */
const hasMarkOfError = (holder: object): boolean => {
  const { code, status } = ownMembers(holder)
  return (
    status !== undefined ||
    asCode(code) !== undefined ||
    property(holder, "success") === false ||
    [nameOf(holder, "type"), nameOf(holder, "status")].some((name) => name !== undefined && namesOfFailures.test(name))
  )
}

const hasImages = (holder: object) =>
  ["data", "b64_json", "url"].some((name) => says(property(holder, name)) || Predicate.isNumber(property(holder, name)))

/**
 * Whether a value that came with status 200 is an error. `{ "error": {} }`, null, "", false and [] say that there is none.
 * Words without a mark of an error beside them can be a note on the progress.
 */
export const tellsError = (value: unknown): boolean => tellsErrorAt(value, 0)

const tellsErrorAt = (value: unknown, depth: number): boolean => {
  if (depth > deepest) return false
  if (isList(value)) return value.length > 0 && value.every((item) => tellsErrorAt(item, depth + 1))
  if (!Predicate.isObject(value)) return false
  if (says(property(value, "error")) || says(property(value, "errors"))) return true
  return !hasImages(value) && hasMarkOfError(value) && errorBodyOf(value).description !== undefined
}
