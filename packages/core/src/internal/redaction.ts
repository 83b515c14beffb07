/**
 * Redacts secrets in errors, recorded requests and cassettes. The values of headers and of query params are redacted if
 * their names show that they can hold a secret. In texts, two things are redacted: secrets of at least 8 characters in
 * the request's headers, and words that start like a key of the service.
 */
import * as Base64 from "effect/encoding/Base64"
import type * as Headers from "effect/http/Headers"
import * as UrlParams from "effect/http/UrlParams"
import * as Result from "effect/Result"

const redacted = "<redacted>"

/**
 * Matches names of headers and of query params that suggest a secret. Two kinds of names are excluded:
 * `idempotency-key`, which is not a secret and which tests compare, and `x-ratelimit-*`, because some of these names
 * contain "token".
 */
export const secretName =
  /^(?!idempotency-key$|x-ratelimit-).*(?:auth|cookie|key|secret|token|credential|signature|password)/i

/**
 * Redacts the user and password of a URL that has a scheme or starts with `//`, and the values of its query params
 * whose names show that they can hold a secret.
 */
export const redactUrl = (url: string): string => UrlParams.redactUrl(url, [secretName])

/** Matches keys of the service, which start with known prefixes. */
const knownKeys = /\b(?:sk-do-|do[opr]_v1_)[\w-]+/g

/** The length of the shortest secret of a header that is redacted in texts. Ordinary text can contain shorter ones. */
const shortestSecret = 8

/**
 * All forms that a secret can have within a longer text in base64. The form depends on the number of bytes before the
 * secret, modulo 3.
 */
const base64Forms = (secret: string): ReadonlyArray<string> =>
  [0, 1, 2].flatMap((before) => {
    const encoded = Base64.encode("\0".repeat(before) + secret)
    // Characters at the ends that also depend on the bytes next to the secret are cut off.
    const form = encoded.slice(Math.ceil((before * 8) / 6)).replace(/.=+$/, "")
    return [form, form.replaceAll("+", "-").replaceAll("/", "_")]
  })

const hex = (code: number, length: number) => code.toString(16).padStart(length, "0")

const percentEncoded = (character: string, code: number) => {
  if (code < 0x80) return `%${hex(code, 2)}`
  return code >= 0xd800 && code <= 0xdfff ? character : encodeURIComponent(character)
}

/**
 * A regular expression that matches one character of a secret, plain, or escaped for JSON (with up to 8 backslashes),
 * for URLs (up to 4 times) or for HTML (as a number).
 */
const escapesOf = (character: string, index: number): string => {
  const code = character.codePointAt(0) ?? 0
  // For the first character (`index` 0), only the backslash of `\u` is matched here. `escaped` matches any before it.
  const [inPlain, inUnicode] = index === 0 ? [0, 1] : [8, 8]
  const plain = `\\\\{0,${inPlain}}${character.replace(/[\\^$.*+?()[\]{}|/]/, String.raw`\$&`)}`
  const inUrl = percentEncoded(character, code).replaceAll("%", "%(?:25){0,3}")
  const inJson = `\\\\{1,${inUnicode}}u${hex(code, 4)}`
  return `(?:${plain}|${inUrl}|${inJson}|&#(?:0{0,4}${code}|x0{0,4}${hex(code, 1)});)`
}

/**
 * A regular expression that matches the texts, with any of their characters in one of the forms of `escapesOf`. The
 * match includes up to 8 backslashes before a text, because they would otherwise escape the replacement. These are
 * included only from the start of a run of backslashes, because a text full of backslashes would take quadratic time
 * otherwise.
 */
const escaped = (texts: ReadonlyArray<string>): RegExp => {
  const alternatives = texts.map((text) => Array.from(text, escapesOf).join(""))
  return new RegExp(String.raw`(?:(?<!\\)\\{1,8})?(?:${alternatives.join("|")})`, "giu")
}

/**
 * The secrets in the value of a header: the value without a first word such as `Bearer`. For `Basic`, also the password
 * alone.
 */
const secretsIn = (value: string): ReadonlyArray<string> => {
  const secret = value.replace(/^\w+ +/, "").trim()
  const pair = /^basic /i.test(value) ? Result.getOrElse(Base64.decodeString(secret), () => "") : ""
  return [secret, pair.slice(pair.indexOf(":") + 1)]
}

const secretsOf = (headers: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  Object.entries(headers)
    .filter(([name]) => secretName.test(name))
    .flatMap(([, value]) => secretsIn(value))
    .filter((secret) => secret.length >= shortestSecret)

const makeRedact = (secrets: ReadonlyArray<string>): ((text: string) => string) => {
  const forms = Array.from(new Set(secrets.flatMap((secret) => [secret, ...base64Forms(secret)])))
  let pattern: RegExp | undefined
  return (text) => {
    const shown = forms.reduce((rest, form) => rest.replaceAll(form, redacted), text).replace(knownKeys, redacted)
    if (forms.length === 0 || !/[%\\&]/.test(shown)) return shown
    pattern ??= escaped(forms) // The pattern is built only when needed, because it is large and few texts have escapes.
    return shown.replace(pattern, redacted)
  }
}

/**
 * The `redact` function made last. It is kept because most requests of a client have the same secrets, and making the
 * function costs more than a call of it.
 */
let last = { key: "", redact: makeRedact([]) }

/**
 * Returns a function that redacts the secrets of a request's headers in a text, such as a response that repeats the
 * key. The function finds a secret of at least 8 characters as it was sent, in base64, and escaped for JSON, for URLs
 * or (as numbers) for HTML. It also redacts every word that starts like a key of the service.
 *
 * @category redacting
 * @since 0.1.0
 */
export const redactText = (headers: Readonly<Record<string, string>>): ((text: string) => string) => {
  const secrets = secretsOf(headers)
  const key = secrets.join("\n")
  if (key !== last.key) last = { key, redact: makeRedact(secrets) }
  return last.redact
}

/**
 * The headers as a record. If the name of a header suggests a secret, its value is redacted. `redact` is applied to the
 * values of all other headers.
 *
 * @category redacting
 * @since 0.1.0
 */
export const redactHeaders = (
  headers: Headers.Headers,
  redact: (text: string) => string
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, secretName.test(name) ? redacted : redact(value)])
  )
