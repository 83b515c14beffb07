/**
 * Parses the JSON of a reply or of an event while its bytes arrive. Extracts the images as bytes and leaves a small
 * JSON text, in which each image is replaced by its index, or by `null` if it cannot be used.
 *
 * An image is the string in a member `b64_json`, either of the outermost object or of an item of its list `data`. The
 * parser follows only strings and nesting. `JSON.parse` checks the remaining text afterwards.
 */
import { latin1 } from "../base64.ts"
import { Base64Sink } from "./Base64Sink.ts"
import type { Limits } from "./limits.ts"

declare const TextDecoder: new () => { decode(bytes: Uint8Array): string }

export const lineFeed = 0x0a
export const carriageReturn = 0x0d
const quote = 0x22
const comma = 0x2c
const minus = 0x2d
const equalsSign = 0x3d
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/** The opening brackets around the members of an item of `data`, the outermost first. */
const containers: ReadonlyArray<number> = [openBrace, openBracket, openBrace]

/** The result of parsing: the images, and the JSON text without them. */
export interface Extracted {
  /** The JSON text, with an index into `images` in place of each usable image. */
  readonly json: string
  readonly images: ReadonlyArray<Uint8Array>
  /** Why the first unusable image cannot be used, with the image's path. If set, the indexes in `json` may be wrong. */
  readonly flaw: string | undefined
}

export class ImageJsonParser {
  /** Describes the limit that was exceeded. If set, the parser ignores all further bytes. */
  problem: string | undefined
  /**
   * Why the first unusable image cannot be used, with the image's path. Unless `problem` is set too, parsing continues
   * after it, because other images may follow.
   */
  flaw: string | undefined
  /** Whether the outermost object or array has ended. */
  closed = false
  /** The complete images. */
  readonly images: Array<Uint8Array> = []

  /**
   * `#depth` is the number of open objects and arrays. `#matched` is how many of these, from the outermost on, match
   * `containers`.
   */
  #depth = 0
  #matched = 0
  /** The index of the item of `data` that is being parsed. */
  #item = 0
  /**
   * Directly within an object or array that matches `containers`: `#expectsKey` is whether the next string is a key,
   * and `#value` is the kind of value that follows the last key.
   */
  #expectsKey = false
  #value: "image" | "data" | "other" = "other"
  /**
   * Within a string: `#keyStart` is where in `#text` the string starts, or -1 if it is not a relevant key. `#escaped`
   * is whether the last byte was a backslash that escapes the next one.
   */
  #inString = false
  #keyStart = -1
  #escaped = false
  /**
   * Within an image: `#sink` is its decoder, and `#escape` is the start of an incomplete escape, including the
   * backslash.
   */
  #sink: Base64Sink | undefined
  #escape = ""
  /** Whether the parser is within an unusable image. The rest of that image's string is skipped. */
  #isSkipping = false
  /** The media type read so far, while the parser is within an image that is a data URL and before the URL's comma. */
  #mediaType: string | undefined

  #text = new Uint8Array(1024)
  #textLength = 0

  readonly #limits: Limits
  #expectedBytes: number

  /** `expectedBytes` is an estimate of the size of one image. */
  constructor(limits: Limits, expectedBytes: number) {
    this.#limits = limits
    this.#expectedBytes = expectedBytes
  }

  /** Whether there is a complete image, or one that is being decoded. */
  get hasImage(): boolean {
    return this.#sink !== undefined || this.images.length > 0
  }

  /**
   * Parses `chunk` from the index `from` on. Returns the index where parsing stopped: at the end of the chunk or at a
   * problem. With `inLine`, parsing also stops at the end of the line, else at the end of the JSON value.
   */
  write(chunk: Uint8Array, from: number, inLine: boolean): number {
    let at = from
    while (at < chunk.length && !this.#isOver(inLine) && !(inLine && isLineEnd(chunk[at]))) {
      if (this.#sink !== undefined) at = this.#writeImage(this.#sink, chunk, at, inLine)
      else if (this.#isSkipping) at = this.#skipImage(chunk, at, inLine)
      else if (this.#mediaType !== undefined) at = this.#writeMediaType(this.#mediaType, chunk, at, inLine)
      else at = this.#writeText(chunk, at, inLine)
    }
    return at
  }

  /** Adds the line end between two `data` lines of one event. An image that contains a line end cannot be used. */
  writeLineEnd(): void {
    if (this.#sink !== undefined || this.#mediaType !== undefined) this.#giveUp("is not base64")
    else if (!this.#isSkipping) this.#append(lineFeed)
  }

  /** Ends the parsing and returns the result. */
  finish(): Extracted {
    if (this.#sink !== undefined || this.#mediaType !== undefined) this.#giveUp("does not end")
    return { json: decode(this.#text.subarray(0, this.#textLength)), images: this.images, flaw: this.flaw }
  }

  /** Parses JSON text, at most up to the start of the next image. */
  #writeText(chunk: Uint8Array, from: number, inLine: boolean): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]
      if (byte === undefined || this.#isOver(inLine) || (inLine && isLineEnd(byte))) return at
      if (this.#inString) this.#followString(byte)
      else if (byte === quote && this.#isImageNext) {
        this.#sink = new Base64Sink(this.#limits.imageBytes, this.#expectedBytes)
        return at + 1
      } else this.#followStructure(byte)
      this.#append(byte)
    }
    return chunk.length
  }
  /** Whether no more bytes are parsed. Bytes after the JSON value are ignored in a response (without `inLine`). */
  #isOver(inLine: boolean): boolean {
    return this.problem !== undefined || (this.closed && !inLine)
  }

  #followString(byte: number): void {
    if (this.#escaped) {
      this.#escaped = false
    } else if (byte === backslash) {
      this.#escaped = true
    } else if (byte === quote) {
      this.#inString = false
      if (this.#keyStart >= 0) this.#value = this.#valueOf(this.#key())
    }
  }

  #followStructure(byte: number): void {
    switch (byte) {
      case quote:
        this.#inString = true
        this.#keyStart = this.#expectsKey && this.#depth === this.#matched ? this.#textLength + 1 : -1
        if (this.#keyStart >= 0) this.#expectsKey = false
        return
      case openBrace:
      case openBracket:
        return this.#open(byte)
      case closeBrace:
      case closeBracket:
        return this.#close()
      case comma:
        if (this.#depth !== this.#matched) return
        this.#expectsKey = containers[this.#matched - 1] === openBrace
        this.#value = "other"
        if (this.#matched === 2) this.#item++
        return
      default:
        // A number in place of an image would be mistaken for the index of an image.
        if (this.#isImageNext && (isDigit(byte) || byte === minus)) this.#flawed("is not a string")
    }
  }

  #open(byte: number): void {
    const isMatch =
      this.#depth === this.#matched &&
      containers[this.#matched] === byte &&
      (this.#matched !== 1 || this.#value === "data")
    this.#depth++
    if (!isMatch) return
    this.#matched++
    if (this.#matched === 2) this.#item = 0
    this.#expectsKey = byte === openBrace
    this.#value = "other"
  }

  #close(): void {
    if (this.#depth === 0) return
    if (this.#depth === this.#matched) this.#matched--
    this.#depth--
    this.#expectsKey = false
    this.#value = "other"
    if (this.#depth === 0) this.closed = true
  }

  /** The object key that just ended. */
  #key(): string | undefined {
    const key = decode(this.#text.subarray(this.#keyStart, this.#textLength))
    return key.includes("\\") ? unescape(key) : key
  }

  #valueOf(key: string | undefined): "image" | "data" | "other" {
    if (key === "b64_json") return "image"
    return key === "data" && this.#matched === 1 ? "data" : "other"
  }

  get #isImageNext(): boolean {
    return this.#value === "image" && this.#depth === this.#matched
  }

  /** Records why the current image cannot be used, if it is the first such image. */
  #flawed(why: string): void {
    this.flaw ??= `${this.#matched === 1 ? "b64_json" : `data[${this.#item}].b64_json`} ${why}`
  }

  #tooLarge(): void {
    this.#flawed(`is over ${this.#limits.imageBytes} bytes`)
    this.problem = this.flaw
  }

  /** Records that the current image cannot be used. The rest of the image, up to its closing quote, will be skipped. */
  #giveUp(why: string): void {
    this.#flawed(why)
    this.#sink = undefined
    this.#mediaType = undefined
    this.#isSkipping = true
    this.#escaped = false
  }

  /** Skips the rest of an unusable image, up to its closing quote. */
  #skipImage(chunk: Uint8Array, from: number, inLine: boolean): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]
      if (inLine && isLineEnd(byte)) return at
      if (this.#escaped) this.#escaped = false
      else if (byte === backslash) this.#escaped = true
      else if (byte === quote) {
        this.#isSkipping = false
        this.#endValue("null")
        return at + 1
      }
    }
    return chunk.length
  }

  /**
   * Decodes base64 in long runs. After a character that is not base64, such as a backslash, the rest of the image in
   * the chunk is decoded byte by byte.
   */
  #writeImage(sink: Base64Sink, chunk: Uint8Array, from: number, inLine: boolean): number {
    let at = from
    if (this.#escape === "") {
      // The number of bytes that are converted to text at once grows with the image. So the work stays linear even for
      // many small images in one chunk.
      const length = Math.min(Math.max(sink.length, smallestWindow), largestWindow)
      const text = latin1(chunk, at, at + length)
      const end = text.indexOf('"')
      at += sink.writeRun(end === -1 ? text : text.substring(0, withoutPadding(text, end)))
      if (end === -1 && at === from + text.length) return at
    }
    for (; at < chunk.length; at++) {
      const byte = chunk[at]
      if (byte === undefined || (inLine && isLineEnd(byte))) return at
      if (byte === quote && this.#escape === "") {
        this.#closeImage(sink)
        return at + 1
      }
      if (!this.#writeImageByte(sink, byte)) {
        if (byte === colon && isData(sink)) {
          this.#sink = undefined
          this.#mediaType = ""
        } else if (sink.problem === "too large") this.#tooLarge()
        else this.#giveUp("is not base64")
        return at + 1
      }
    }
    return at
  }

  /**
   * Reads the start of a data URL, up to its comma. Some relays put a data URL into `b64_json`; the image starts after
   * the comma.
   */
  #writeMediaType(before: string, chunk: Uint8Array, from: number, inLine: boolean): number {
    let mediaType = before
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]
      if (inLine && isLineEnd(byte)) {
        this.#mediaType = mediaType
        return at
      }
      if (byte === comma && mediaType.endsWith(";base64")) {
        this.#mediaType = undefined
        this.#sink = new Base64Sink(this.#limits.imageBytes, this.#expectedBytes)
        return at + 1
      }
      if (byte === undefined || byte === quote || byte === comma || mediaType.length === longestMediaType) {
        this.#giveUp("is not base64")
        return at
      }
      // The slash of a media type may be escaped.
      if (byte !== backslash) mediaType += String.fromCharCode(byte)
    }
    this.#mediaType = mediaType
    return chunk.length
  }

  #writeImageByte(sink: Base64Sink, byte: number): boolean {
    if (this.#escape === "" && byte !== backslash) return byte === space || sink.writeCharacter(byte)
    this.#escape += String.fromCharCode(byte)
    if (this.#escape.length < (this.#escape[1] === "u" ? 6 : 2)) return true
    const character = unescape(this.#escape)
    this.#escape = ""
    if (character === undefined) return sink.refuse("not base64")
    return isWhiteSpace.test(character) || sink.writeCharacter(character.charCodeAt(0))
  }

  #closeImage(sink: Base64Sink): void {
    const image = sink.finish()
    this.#sink = undefined
    if (sink.problem === "too large") return this.#tooLarge()
    if (image === undefined || image.length === 0) {
      this.#flawed(image === undefined ? "is not base64" : "is empty")
      this.#endValue("null")
      return
    }
    this.#endValue(`${this.images.length} `) // The space separates the index from any digits that follow.
    this.images.push(image)
    // The images of a reply are usually similar in size. With a much higher estimate, each would leave too much memory
    // unused and be copied.
    this.#expectedBytes = Math.min(this.#expectedBytes, Math.ceil(1.1 * image.length))
  }

  /** Writes `text` into the JSON in place of the image that ended. */
  #endValue(text: string): void {
    for (let at = 0; at < text.length; at++) this.#append(text.charCodeAt(at))
    this.#value = "other"
  }

  #append(byte: number): void {
    if (this.#textLength === this.#text.length) {
      if (this.#textLength >= this.#limits.jsonBytes) {
        this.problem = `the JSON around the images is over ${this.#limits.jsonBytes} bytes`
        return
      }
      const text = new Uint8Array(Math.min(this.#textLength * 2, this.#limits.jsonBytes))
      text.set(this.#text)
      this.#text = text
    }
    this.#text[this.#textLength++] = byte
  }
}

/** Whether the decoded bytes are those of the text `data`, read as base64. A data URL starts with this text. */
const isData = (sink: Base64Sink): boolean => {
  const bytes = sink.length === 3 ? sink.finish() : undefined
  return bytes?.length === 3 && bytes[0] === 0x75 && bytes[1] === 0xab && bytes[2] === 0x5a
}

const longestMediaType = 100
const colon = 0x3a
const smallestWindow = 1024
const largestWindow = 64 * 1024
const space = 0x20
const isWhiteSpace = /^[ \t\n\f\r]$/

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Whether this byte ends a line of an event stream. */
export const isLineEnd = (byte: number | undefined): boolean => byte === lineFeed || byte === carriageReturn

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39

/** The index where the base64 before `end` ends, not counting its padding. */
const withoutPadding = (text: string, end: number): number => {
  let before = end
  while (before > 0 && text.charCodeAt(before - 1) === equalsSign) before--
  return before
}

/** The value of a JSON string that is given without its quotes. `undefined` if the string is not valid JSON. */
const unescape = (escaped: string): string | undefined => {
  try {
    const value: unknown = JSON.parse(`"${escaped}"`)
    return typeof value === "string" ? value : undefined
  } catch {
    return undefined // JSON.parse threw a SyntaxError: an escape or a character is not valid in a JSON string.
  }
}
