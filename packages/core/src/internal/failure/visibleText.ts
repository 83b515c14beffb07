/**
 * Turns a text from a server into one short line without markup and control characters.
 */

/** Cuts a long text. It never splits a surrogate pair. */
export const shorten = (text: string, length = 1000): string =>
  text.length <= length ? text : `${text.slice(0, length).replace(/[\uD800-\uDBFF]$/, "")}...`

/** Control characters can control a terminal, and bidirectional ones can reorder the text around them. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\s]+/gu

/** Only the start of a longer text is read. */
const longest = 65_536

/** One line of at most 1,000 characters; `undefined` if nothing is left. */
export const oneLine = (text: string): string | undefined => {
  const line = text.slice(0, longest).replace(unprintable, " ").trim()
  return line === "" ? undefined : shorten(line)
}

/** Elements without visible text. An element that is not closed extends to the end. */
const unseen = /<!--[\s\S]*?(?:-->|$)|<(script|style|template|noscript|svg)\b[\s\S]*?(?:<\/\1\s*>|$)/gi

/**
 * A tag, but not `<redacted>`. It contains no second `<`, because otherwise a text full of `<` would take quadratic
 * time.
 */
const tag = /<(?!redacted>)[a-z!/?][^<>]*>/gi

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " }

const withoutEntities = (text: string) =>
  text.replace(/&(?:#(\d{1,6})|([a-z]{2,4}));/g, (entity: string, code?: string, name?: string) =>
    code === undefined ? (entities[name ?? ""] ?? entity) : String.fromCodePoint(Number(code))
  )

/** Whether the text looks like the bytes of an image or of a compressed body. */
const isBinary = (text: string) => /\0/.test(text) || (text.match(/\uFFFD/g)?.length ?? 0) * 10 > text.length

/** The title of an HTML page, else its first visible words; the start of a plain text. `undefined` if it has no text. */
export const visibleText = (text: string): string | undefined => {
  const start = text.slice(0, longest)
  if (isBinary(start)) return undefined
  if (!/^\s*<(?!redacted>)/.test(start)) return oneLine(start)
  const page = start.replace(unseen, " ")
  const title = /<title[^<>]*>((?:[^<]|<redacted>)+)/i.exec(page)?.[1]
  const words = oneLine(withoutEntities(title ?? "")) ?? oneLine(withoutEntities(page.replace(tag, " ")))
  return words === undefined ? undefined : shorten(words, 300)
}
