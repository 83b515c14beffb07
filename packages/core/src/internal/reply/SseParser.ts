/**
 * Cuts an event stream into events as its bytes come, by the WHATWG algorithm, and hands the data of each to a
 * `ImageJsonParser`. Comments, `id:` and `retry:` are passed over; so is the data of an event whose name nobody asked for.
 */
import type { Limits } from "./limits.ts"
import { latin1 } from "../base64.ts"
import { carriageReturn, isLineEnd, type Lifted, lineFeed, ImageJsonParser } from "./ImageJsonParser.ts"

/** An event that has ended: its name, `""` where it had none, and its data. */
export interface RawEvent {
  readonly name: string
  readonly data: Lifted
}

/** The size of the last image, of this stream or of the one before: the next one will be about as large. */
export interface LastImage {
  bytes: number
}

export class SseParser {
  /** What makes this stream unacceptable, in words; then nothing more can be written. */
  problem: string | undefined

  /** What the next byte belongs to: the name of a field, or the value of one. */
  #field: "name" | "data" | "event" | "skipped" = "name"
  /** The name of the field, or the value of `event`, as far as it has come. */
  #text = ""
  /** The next byte is the first of a value, where one space is left out. */
  #atValueStart = false
  /** The last byte was a CR: an LF now belongs to it. */
  #afterCR = false
  #isFirstLine = true
  /** Bytes of a line that is not data. */
  #lineLength = 0
  /** The event that is being read. */
  #name = ""
  #payload: ImageJsonParser | undefined

  readonly #limits: Limits
  readonly #isWanted: (name: string) => boolean
  readonly #lastImage: LastImage

  constructor(limits: Limits, isWanted: (name: string) => boolean, lastImage: LastImage) {
    this.#lastImage = lastImage
    this.#limits = limits
    this.#isWanted = isWanted
  }

  /** Images that are whole and belong to an event that has not ended. */
  get pendingImages(): ReadonlyArray<Uint8Array> {
    return this.#payload?.images ?? []
  }

  /** Takes a chunk, and adds to `events` those that ended in it. */
  write(chunk: Uint8Array, events: Array<RawEvent>): void {
    let at = 0
    while (at < chunk.length && this.problem === undefined) {
      const byte = chunk[at]
      if (isLineEnd(byte)) {
        if (!(byte === lineFeed && this.#afterCR)) this.#endLine(events)
        this.#afterCR = byte === carriageReturn
        at++
      } else {
        this.#afterCR = false
        at = this.#writeLine(chunk, at)
      }
    }
  }

  /** Takes bytes of a line, up to its end or to the end of what belongs together in it. */
  #writeLine(chunk: Uint8Array, from: number): number {
    let at = from
    if (this.#atValueStart) {
      this.#atValueStart = false
      if (chunk[at] === space) return at + 1
    }
    if (this.#field === "data" && this.#payload !== undefined) {
      at = this.#payload.write(chunk, at, true)
      this.problem = this.#payload.problem
      return at
    }
    while (at < chunk.length && !isLineEnd(chunk[at]) && !(this.#field === "name" && chunk[at] === colon)) at++
    this.#lineLength += at - from
    if (this.#lineLength > this.#lineLimit) {
      this.problem = `a line is over ${this.#lineLimit} bytes`
      return at
    }
    if (this.#field === "name" || this.#field === "event") this.#text += latin1(chunk, from, at)
    if (this.#field === "name" && chunk[at] === colon) {
      this.#startValue()
      return at + 1
    }
    return at
  }

  /** Data that nobody asked for is not held, so it may be as long as what is. */
  get #lineLimit(): number {
    return this.#field === "data" ? 2 * this.#limits.imageBytes : this.#limits.lineBytes
  }

  /** The name of a field is whole: a colon came, or the line ended. */
  #startValue(): void {
    const name = this.#isFirstLine && this.#text.startsWith(byteOrderMark) ? this.#text.slice(3) : this.#text
    this.#field = name === "data" || name === "event" ? name : "skipped"
    this.#text = ""
    this.#atValueStart = true
    if (this.#field === "data" && this.#isWanted(this.#name)) {
      if (this.#payload === undefined) {
        this.#payload = new ImageJsonParser("event", this.#limits, guess(this.#lastImage.bytes))
      } else this.#payload.writeLineEnd()
      this.problem = this.#payload.problem
    }
  }

  #endLine(events: Array<RawEvent>): void {
    const isBlank = this.#field === "name" && (this.#text === "" || (this.#isFirstLine && this.#text === byteOrderMark))
    if (isBlank) this.#endEvent(events)
    else if (this.#field === "name") this.#startValue()
    if (this.#field === "event") this.#name = this.#text
    this.#field = "name"
    this.#text = ""
    this.#atValueStart = false
    this.#isFirstLine = false
    this.#lineLength = 0
  }

  #endEvent(events: Array<RawEvent>): void {
    if (this.#payload !== undefined) {
      const data = this.#payload.finish()
      this.problem = this.#payload.problem
      this.#lastImage.bytes = data.images[0]?.length ?? this.#lastImage.bytes
      if (this.problem === undefined) events.push({ name: this.#name, data })
    }
    if (this.#payload === undefined && !this.#isWanted(this.#name)) events.push({ name: this.#name, data: passedOver })
    if (this.problem === undefined) this.#payload = undefined
    this.#name = ""
  }
}

/** What is held of the data that nobody asked for. */
const passedOver: Lifted = { json: "", images: [] }

const space = 0x20
const colon = 0x3a
/** The UTF-8 byte order mark, a character for each byte. */
const byteOrderMark = "\xef\xbb\xbf"

/** A little above the last image, so that one that is a little larger still needs no second piece of memory. */
const guess = (lastImageBytes: number): number => Math.ceil(lastImageBytes * 1.05)
