/**
 * Keeps secrets out of errors, recorded requests and cassettes: headers by their names, texts by the secrets that the
 * request sent.
 */
import * as Base64 from "effect/encoding/Base64"
import type * as Headers from "effect/http/Headers"
import * as Result from "effect/Result"

const redacted = "<redacted>"

/**
 * Names of headers and of query params that can hold a secret. The idempotency key is none, and a test wants to see that
 * it stays the same; the rate limit's names have "tokens" in them.
 */
export const secretName =
  /^(?!idempotency-key$|x-ratelimit-).*(?:auth|cookie|key|secret|token|credential|signature|password)/i

/** Keys of the service are known by how they begin, wherever they are. */
const knownKeys = /\b(?:sk-do-|do[opr]_v1_)[\w-]+/g

/** A shorter secret occurs in texts by chance. */
const shortestSecret = 8

/** The secret as it is within a longer text that was encoded: base64 of it depends on the length of what is before it. */
const base64Forms = (secret: string): ReadonlyArray<string> =>
  [0, 1, 2].flatMap((before) => {
    const encoded = Base64.encode("\0".repeat(before) + secret)
    // The characters at both ends also depend on the neighbours of the secret.
    const form = encoded.slice(Math.ceil((before * 8) / 6)).replace(/.=+$/, "")
    return [form, form.replaceAll("+", "-").replaceAll("/", "_")]
  })

const hex = (code: number, length: number) => code.toString(16).padStart(length, "0")

const percentEncoded = (character: string, code: number) => {
  if (code < 0x80) return `%${hex(code, 2)}`
  return code >= 0xd800 && code <= 0xdfff ? character : encodeURIComponent(character)
}

/** A character as it is, or with the escapes of JSON, of URLs (also twice) and of HTML. */
const escapesOf = (character: string, index: number): string => {
  const code = character.codePointAt(0) ?? 0
  // `escaped` matches the backslashes before the first character.
  const [inPlain, inUnicode] = index === 0 ? [0, 1] : [8, 8]
  const plain = `\\\\{0,${inPlain}}${character.replace(/[\\^$.*+?()[\]{}|/]/, String.raw`\$&`)}`
  const inUrl = percentEncoded(character, code).replaceAll("%", "%(?:25){0,3}")
  const inJson = `\\\\{1,${inUnicode}}u${hex(code, 4)}`
  return `(?:${plain}|${inUrl}|${inJson}|&#(?:0{0,4}${code}|x0{0,4}${hex(code, 1)});)`
}

/**
 * Matches these texts in whatever way their characters are escaped. Backslashes before them go too, or they would escape
 * what takes their place; only at the start of a run, because a text full of them would otherwise take long.
 */
const escaped = (texts: ReadonlyArray<string>): RegExp => {
  const alternatives = texts.map((text) => Array.from(text, escapesOf).join(""))
  return new RegExp(String.raw`(?:(?<!\\)\\{1,8})?(?:${alternatives.join("|")})`, "giu")
}

/** What is secret in the value of a header: not its scheme, such as Bearer, and within Basic also the password. */
const secretsIn = (value: string): ReadonlyArray<string> => {
  const secret = value.replace(/^\w+ +/, "").trim()
  const pair = /^basic /i.test(value) ? Result.getOrElse(Base64.decodeString(secret), () => "") : ""
  return [secret, pair.slice(pair.indexOf(":") + 1)]
}

const secretsOf = (headers: Headers.Headers): ReadonlyArray<string> =>
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
    pattern ??= escaped(forms) // It is large, and few texts have escapes.
    return shown.replace(pattern, redacted)
  }
}

/** The last one that was made: a client sends the same key each time, and making it costs more than using it. */
let last = { key: "", redact: makeRedact([]) }

/**
 * Takes the secrets of a request's headers out of any text, such as a response that repeats the key: as they were sent,
 * in base64, and with the escapes of JSON, URLs and HTML. Also takes out whatever looks like a key of the service.
 *
 * @category redacting
 */
export const redactText = (headers: Headers.Headers): ((text: string) => string) => {
  const secrets = secretsOf(headers)
  const key = secrets.join("\n")
  if (key !== last.key) last = { key, redact: makeRedact(secrets) }
  return last.redact
}

/**
 * The headers without the values of those that can hold a secret; `redact` takes secrets out of the others.
 *
 * @category redacting
 */
export const redactHeaders = (
  headers: Headers.Headers,
  redact: (text: string) => string
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, secretName.test(name) ? redacted : redact(value)])
  )
