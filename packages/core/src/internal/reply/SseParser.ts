/**
 * Parses an event stream while its bytes arrive, by the WHATWG algorithm, and hands the data of each event to an
 * `ImageJsonParser`. Comments, `id:` and `retry:` are ignored. A byte order mark must be removed before.
 */
import type { Limits } from "./limits.ts"
import { latin1 } from "../base64.ts"
import { carriageReturn, isLineEnd, type Extracted, lineFeed, ImageJsonParser } from "./ImageJsonParser.ts"

/** An event that has ended: its name, `""` if it had none, and its data. */
export interface RawEvent {
  readonly name: string
  readonly data: Extracted
}

export class SseParser {
  /** Which limit was exceeded. Then nothing more can be written. */
  problem: string | undefined

  /** What the next byte belongs to: the name of a field, or the value of one. */
  #field: "name" | "data" | "event" | "skipped" = "name"
  /** The name of the field, or the value of `event`, as far as it has come. */
  #text = ""
  /** The next byte is the first of a value, where one space is left out. */
  #atValueStart = false
  /** The last byte was a CR: an LF now belongs to it. */
  #afterCR = false
  /** Bytes of a line that is not data. */
  #lineLength = 0
  /** The event that is being read. */
  #name = ""
  #data: ImageJsonParser | undefined
  /** The data of this event has an unknown name and exceeded a limit: it is ignored. */
  #isIgnored = false
  /** The size of this stream's last image: the next one will be about as large. */
  #lastImageBytes = 0

  readonly #limits: Limits
  readonly #isKnown: (name: string) => boolean

  constructor(limits: Limits, isKnown: (name: string) => boolean) {
    this.#limits = limits
    this.#isKnown = isKnown
  }

  /** Complete images of an event that has not ended. */
  get pendingImages(): ReadonlyArray<Uint8Array> {
    return this.#data?.images ?? []
  }

  /** An event with an image has begun and not ended. */
  get hasPendingImage(): boolean {
    return this.#data?.hasImage === true
  }

  /** Takes a chunk, and adds the events that ended in it to `events`. */
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

  /** The bytes have ended. An event without its blank line counts if its JSON is closed. */
  finish(events: Array<RawEvent>): void {
    if (this.#data?.closed === true && this.problem === undefined) this.#endEvent(events)
  }

  /** Takes bytes of a line, up to the end of the field's name or of the line. */
  #writeLine(chunk: Uint8Array, from: number): number {
    let at = from
    if (this.#atValueStart) {
      this.#atValueStart = false
      if (chunk[at] === space) return at + 1
    }
    if (this.#field === "data" && this.#data !== undefined) {
      at = this.#data.write(chunk, at, true)
      this.#checkData(this.#data)
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

  /** Data beyond a limit is an error, unless the event has an unknown name. */
  #checkData({ problem }: ImageJsonParser): void {
    if (problem === undefined) return
    if (this.#isKnown(this.#name)) {
      this.problem = problem
      return
    }
    this.#data = undefined
    this.#isIgnored = true
  }

  /** Data that is ignored is not held, so a line of it may be as long as one with an image. */
  get #lineLimit(): number {
    return this.#field === "data" ? 2 * this.#limits.imageBytes : this.#limits.lineBytes
  }

  /** The name of a field has ended, with a colon or with the line. */
  #startValue(): void {
    this.#field = this.#text === "data" || this.#text === "event" ? this.#text : "skipped"
    this.#text = ""
    this.#atValueStart = true
    if (this.#field !== "data" || this.#isIgnored) return
    if (this.#data === undefined) {
      this.#data = new ImageJsonParser(this.#limits, guess(this.#lastImageBytes))
    } else {
      this.#data.writeLineEnd()
      this.#checkData(this.#data)
    }
  }

  #endLine(events: Array<RawEvent>): void {
    if (this.#field === "name" && this.#text === "") this.#endEvent(events)
    else if (this.#field === "name") this.#startValue()
    if (this.#field === "event") this.#name = this.#text
    this.#field = "name"
    this.#text = ""
    this.#atValueStart = false
    this.#lineLength = 0
  }

  #endEvent(events: Array<RawEvent>): void {
    if (this.#data !== undefined) {
      const data = this.#data.finish()
      this.#lastImageBytes = data.images[0]?.length ?? this.#lastImageBytes
      events.push({ name: this.#name, data })
    } else if (this.#isIgnored) {
      events.push({ name: this.#name, data: { json: "", images: [], flaw: undefined } })
    }
    this.#data = undefined
    this.#isIgnored = false
    this.#name = ""
  }
}

const space = 0x20
const colon = 0x3a
/** A little above the last image, so that an image that is slightly larger fits without a second piece of memory. */
const guess = (lastImageBytes: number): number => Math.ceil(lastImageBytes * 1.05)
