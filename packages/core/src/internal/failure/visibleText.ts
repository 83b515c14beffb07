/**
 * Turns a text from a server into one short line without control characters. Of an HTML page, only visible text
 * remains.
 */

/** Cuts a text after `length` characters, and adds `...` if it was longer. A surrogate pair is never split. */
export const shorten = (text: string, length = 1000): string =>
  text.length <= length ? text : `${text.slice(0, length).replace(/[\uD800-\uDBFF]$/, "")}...`

/**
 * Matches a run of characters that one space replaces. They are white space, control characters (which can control a
 * terminal) and bidirectional controls (which can reorder the text around them).
 */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\s]+/gu

/** The most characters that are read of a text from a server. */
const longest = 65_536

/** The text as one line, cut after 1,000 characters; `undefined` if no characters are left. */
export const oneLine = (text: string): string | undefined => {
  const line = text.slice(0, longest).replace(unprintable, " ").trim()
  return line === "" ? undefined : shorten(line)
}

/**
 * Matches HTML comments and HTML elements without visible text. If one is not closed, the match extends to the end of
 * the text.
 */
const unseen = /<!--[\s\S]*?(?:-->|$)|<(script|style|template|noscript|svg)\b[\s\S]*?(?:<\/\1\s*>|$)/gi

/**
 * Matches an HTML tag, but not `<redacted>`. A match contains no second `<`, because a text full of `<` would take
 * quadratic time otherwise.
 */
const tag = /<(?!redacted>)[a-z!/?][^<>]*>/gi

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " }

const withoutEntities = (text: string) =>
  text.replace(/&(?:#(\d{1,6})|([a-z]{2,4}));/g, (entity: string, code?: string, name?: string) =>
    code === undefined ? (entities[name ?? ""] ?? entity) : String.fromCodePoint(Number(code))
  )

/** Whether the text looks like the bytes of an image or of a compressed body. */
const isBinary = (text: string) => /\0/.test(text) || (text.match(/\uFFFD/g)?.length ?? 0) * 10 > text.length

/**
 * The text that a person would see: the title of an HTML page, else its first visible words; for plain text, its start.
 * `undefined` if there is no text, or if it looks like binary data.
 */
export const visibleText = (text: string): string | undefined => {
  const start = text.slice(0, longest)
  if (isBinary(start)) return undefined
  if (!/^\s*<(?!redacted>)/.test(start)) return oneLine(start)
  const page = start.replace(unseen, " ")
  const title = /<title[^<>]*>((?:[^<]|<redacted>)+)/i.exec(page)?.[1]
  const words = oneLine(withoutEntities(title ?? "")) ?? oneLine(withoutEntities(page.replace(tag, " ")))
  return words === undefined ? undefined : shorten(words, 300)
}
