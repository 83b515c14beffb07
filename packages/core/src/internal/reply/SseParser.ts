/**
 * Parses an event stream while its bytes arrive, by the WHATWG algorithm. The data of each event is parsed by an
 * `ImageJsonParser`. Comments, `id:` and `retry:` are ignored. The caller removes a byte order mark.
 */
import type { Limits } from "./limits.ts"
import { latin1 } from "../base64.ts"
import { carriageReturn, isLineEnd, type Extracted, lineFeed, ImageJsonParser } from "./ImageJsonParser.ts"

/** A complete event: its name, `""` if it had none, and its data. */
export interface RawEvent {
  readonly name: string
  readonly data: Extracted
}

export class SseParser {
  /** The limit that was exceeded. After that, nothing more can be written. */
  problem: string | undefined

  /** Where the next byte belongs: to the name of a field, or to the value of one. */
  #field: "name" | "data" | "event" | "skipped" = "name"
  /** The characters read so far of a field's name, or of the value of an `event` field. */
  #text = ""
  /** The next byte is the first of a value. One space there is skipped. */
  #atValueStart = false
  /** The last byte was a CR, so a following LF belongs to the same line end. */
  #afterCR = false
  /** The length of the current line so far, unless it is data. */
  #lineLength = 0
  /** The current event: its name, and the parser of its data. */
  #name = ""
  #data: ImageJsonParser | undefined
  /** The current event has an unknown name and its data exceeded a limit, so the data is ignored. */
  #isIgnored = false
  /** The size of the last image of this stream, as an estimate for the next. */
  #lastImageBytes = 0

  readonly #limits: Limits
  readonly #isKnown: (name: string) => boolean

  constructor(limits: Limits, isKnown: (name: string) => boolean) {
    this.#limits = limits
    this.#isKnown = isKnown
  }

  /** The complete images of the current event. */
  get pendingImages(): ReadonlyArray<Uint8Array> {
    return this.#data?.images ?? []
  }

  /** Whether the current event has an image. */
  get hasPendingImage(): boolean {
    return this.#data?.hasImage === true
  }

  /** Parses a chunk, and adds the events that end in it to `events`. */
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

  /** Ends the parsing. An event without its final blank line counts if its JSON is complete. */
  finish(events: Array<RawEvent>): void {
    if (this.#data?.closed === true && this.problem === undefined) this.#endEvent(events)
  }

  /** Parses bytes of a line, up to the end of the field's name or of the line. */
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

  /** Data over a limit is a problem, unless the event has an unknown name. */
  #checkData({ problem }: ImageJsonParser): void {
    if (problem === undefined) return
    if (this.#isKnown(this.#name)) {
      this.problem = problem
      return
    }
    this.#data = undefined
    this.#isIgnored = true
  }

  /** Ignored data is not kept in memory, so its lines may be as long as one with an image. */
  get #lineLimit(): number {
    return this.#field === "data" ? 2 * this.#limits.imageBytes : this.#limits.lineBytes
  }

  /** Starts the value of a field. The name ended with a colon or with the line. */
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
/** Slightly more than the last image, so that a slightly larger image fits into one piece of memory. */
const guess = (lastImageBytes: number): number => Math.ceil(lastImageBytes * 1.05)
