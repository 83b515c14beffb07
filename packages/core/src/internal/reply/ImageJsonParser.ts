/**
 * Takes the JSON of a reply or of an event as its bytes come, lifts the images out as bytes, and leaves a small JSON
 * text in which a number, the image's index, stands for each of them.
 *
 * Lifted are only members of the reply's own objects: `b64_json` of an event, or of an item of `data`. Whether the rest
 * is JSON at all is left to `JSON.parse`: here only strings and depth are followed.
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

/** The containers, from the outside in, that an image stands in, and the key that leads on from each object. */
const shapes = {
  event: { containers: [openBrace], keys: ["b64_json"] },
  response: { containers: [openBrace, openBracket, openBrace], keys: ["data", undefined, "b64_json"] }
} as const

/** Where the images stand: at the top of an event's data, or in the items of a response's `data`. */
export type ReplyShape = keyof typeof shapes

/** What a payload was, once it has ended. */
export interface Lifted {
  /** The JSON without its images: an index into `images` stands for each. */
  readonly json: string
  readonly images: ReadonlyArray<Uint8Array>
}

export class ImageJsonParser {
  /** What makes this payload unacceptable, in words; then nothing more can be written. */
  problem: string | undefined
  /** A JSON value has been closed: what follows can only be white space. */
  closed = false
  /** The images that are whole. */
  readonly images: Array<Uint8Array> = []

  /** How deep the next byte is, and how many of the containers around it are those of the shape. */
  #depth = 0
  #matched = 0
  /** Directly within an object of the shape: whether a key comes next, and whether the last one leads on. */
  #expectsKey = false
  #leadsOn = false
  /** Within a string: where in the text it starts, if it is a key that matters; whether the last byte was a backslash. */
  #inString = false
  #keyStart = -1
  #escaped = false
  /** Within an image: where its bytes go, and the escape that is being read, from its backslash on. */
  #sink: Base64Sink | undefined
  #escape = ""

  #text = new Uint8Array(1024)
  #textLength = 0

  readonly #shape: {
    readonly containers: ReadonlyArray<number>
    readonly keys: ReadonlyArray<string | undefined>
  }
  readonly #limits: Limits
  #expectedBytes: number

  /** `expectedBytes` is a guess at the size of an image. */
  constructor(shape: ReplyShape, limits: Limits, expectedBytes: number) {
    this.#shape = shapes[shape]
    this.#limits = limits
    this.#expectedBytes = expectedBytes
  }

  /**
   * Takes the bytes of the chunk from `from` on. Gives where it stopped: at the end, at a problem or, with `inLine`,
   * at the end of the line.
   */
  write(chunk: Uint8Array, from: number, inLine: boolean): number {
    let at = from
    while (at < chunk.length && !this.#isOver(inLine) && !(inLine && isLineEnd(chunk[at]))) {
      at =
        this.#sink === undefined ? this.#writeText(chunk, at, inLine) : this.#writeImage(this.#sink, chunk, at, inLine)
    }
    return at
  }

  /** The end of a line, where the next line belongs to the same payload. */
  writeLineEnd(): void {
    if (this.#sink === undefined) this.#append(lineFeed)
    else this.problem = `${this.#imagePath} is not base64`
  }

  /** Ends the payload; `problem` tells whether an image was cut. */
  finish(): Lifted {
    if (this.#sink !== undefined) this.problem ??= `${this.#imagePath} does not end`
    return { json: decode(this.#text.subarray(0, this.#textLength)), images: this.images }
  }

  /** Takes JSON around the images, up to the next image. */
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
  /** After a response's value nothing belongs to it, wherever the chunk was cut. */
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
      if (this.#keyStart >= 0) this.#leadsOn = this.#key() === this.#shape.keys[this.#matched - 1]
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
        this.#expectsKey = this.#shape.containers[this.#matched - 1] === openBrace
        this.#leadsOn = false
        return
      default:
        // A number here would be taken for an image's index.
        if (this.#isImageNext && (isDigit(byte) || byte === minus)) this.problem = `${this.#imagePath} is not a string`
    }
  }

  #open(byte: number): void {
    const isOfShape =
      this.#depth === this.#matched &&
      this.#shape.containers[this.#matched] === byte &&
      (this.#leadsOn || this.#shape.keys[this.#matched - 1] === undefined)
    this.#depth++
    if (!isOfShape) return
    this.#matched++
    this.#expectsKey = byte === openBrace
    this.#leadsOn = false
  }

  #close(): void {
    if (this.#depth === 0) return
    if (this.#depth === this.#matched) this.#matched--
    this.#depth--
    this.#expectsKey = false
    this.#leadsOn = false
    if (this.#depth === 0) this.closed = true
  }

  /** The key that has just ended. */
  #key(): string | undefined {
    const key = decode(this.#text.subarray(this.#keyStart, this.#textLength))
    return key.includes("\\") ? unescape(key) : key
  }

  get #isImageNext(): boolean {
    return this.#leadsOn && this.#depth === this.#matched && this.#matched === this.#shape.containers.length
  }

  get #imagePath(): string {
    return this.#shape.containers.length === 1 ? "b64_json" : `data[${this.images.length}].b64_json`
  }

  /** Takes base64: whole runs at once, and byte by byte what interrupts a run. */
  #writeImage(sink: Base64Sink, chunk: Uint8Array, from: number, inLine: boolean): number {
    let at = from
    if (this.#escape === "") {
      // As much as is there already: so the work stays linear however small the images in a large chunk are.
      const window = Math.min(Math.max(sink.length, smallestWindow), largestWindow)
      const text = latin1(chunk, at, at + window)
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
        this.problem = `${this.#imagePath} is ${sink.problem === "too large" ? `over ${this.#limits.imageBytes} bytes` : "not base64"}`
        return at
      }
    }
    return at
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
    if (image === undefined) {
      this.problem = `${this.#imagePath} is not base64`
      return
    }
    for (const digit of String(this.images.length)) this.#append(digit.charCodeAt(0))
    this.#append(space) // What follows cannot go on with the number.
    this.images.push(image)
    // A guess that was far too high would cost more than the images, were there many of them.
    this.#expectedBytes = Math.min(this.#expectedBytes, 2 * image.length)
    this.#sink = undefined
    this.#leadsOn = false
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

const smallestWindow = 1024
const largestWindow = 64 * 1024
const space = 0x20
const isWhiteSpace = /^[ \t\n\f\r]$/

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Whether a line of an event stream ends with this byte. */
export const isLineEnd = (byte: number | undefined): boolean => byte === lineFeed || byte === carriageReturn

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39

/** Where the base64 ends that stands before `end`, when its padding is left out. */
const withoutPadding = (text: string, end: number): number => {
  let before = end
  while (before > 0 && text.charCodeAt(before - 1) === equalsSign) before--
  return before
}

/** What a JSON string without its quotes stands for; `undefined` where it is none. */
const unescape = (escaped: string): string | undefined => {
  try {
    const value: unknown = JSON.parse(`"${escaped}"`)
    return typeof value === "string" ? value : undefined
  } catch {
    return undefined // A SyntaxError: the escape does not exist.
  }
}
