/**
 * Parses an event stream while its bytes arrive. Lines and fields are those of the WHATWG standard. Unlike there, an
 * event with empty data is kept, and so is a last event without its blank line if its JSON is complete. The names of
 * events are not decoded as UTF-8. An `ImageJsonParser` parses the data of each event. Comments, and fields other than
 * `data` and `event`, are ignored. The caller must remove a byte order mark.
 */
import type { Limits } from "./limits.ts"
import { latin1 } from "../base64.ts"
import { carriageReturn, isLineEnd, type Extracted, lineFeed, ImageJsonParser } from "./ImageJsonParser.ts"

/** A complete event. `name` is `""` if the event has no name. */
export interface RawEvent {
  readonly name: string
  readonly data: Extracted
}

export class SseParser {
  /** Describes the limit that was exceeded. If set, the parser ignores all further bytes. */
  problem: string | undefined

  /** What the next byte belongs to: the name of a field, or the value of a field of this kind. */
  #field: "name" | "data" | "event" | "skipped" = "name"
  /** The characters read so far: of a field's name, or of the value of a field `event`. */
  #text = ""
  /** Whether the next byte is the first of a value. If that byte is a space, it is skipped. */
  #atValueStart = false
  /** Whether the last byte was a CR. A line feed after it belongs to the same line end. */
  #afterCR = false
  /** How many bytes of the current line were read so far as a name or a value, without those that `#data` parses. */
  #lineLength = 0
  /** The name of the current event, and the parser of its data. */
  #name = ""
  #data: ImageJsonParser | undefined
  /**
   * Whether the data of the current event is ignored, because the event's name is unknown and its data exceeded a
   * limit.
   */
  #isIgnored = false
  /**
   * The size in bytes of the first image of the last event that had images. The estimate for the next image is based on
   * it.
   */
  #lastImageBytes = 0

  readonly #limits: Limits
  readonly #isKnown: (name: string) => boolean

  constructor(limits: Limits, isKnown: (name: string) => boolean) {
    this.#limits = limits
    this.#isKnown = isKnown
  }

  /** The complete images of the event that is being parsed. */
  get pendingImages(): ReadonlyArray<Uint8Array> {
    return this.#data?.images ?? []
  }

  /** Whether the event that is being parsed has a complete image, or one that is being decoded. */
  get hasPendingImage(): boolean {
    return this.#data?.hasImage === true
  }

  /** Parses a chunk, and adds each event that ends in the chunk to `events`. */
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

  /**
   * Ends the parsing. If the last event lacks its final blank line but its JSON is complete, the event is added to
   * `events`.
   */
  finish(events: Array<RawEvent>): void {
    if (this.#data?.closed === true && this.problem === undefined) this.#endEvent(events)
  }

  /**
   * Parses bytes of a line, at most up to the end of the field's name or of the line. Returns the index of the next
   * byte.
   */
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

  /**
   * Handles data that exceeded a limit. If the event has a known name, `problem` is set and parsing stops. Otherwise
   * only the event's data is ignored.
   */
  #checkData({ problem }: ImageJsonParser): void {
    if (problem === undefined) return
    if (this.#isKnown(this.#name)) {
      this.problem = problem
      return
    }
    this.#data = undefined
    this.#isIgnored = true
  }

  /**
   * The limit for the length of a line in bytes. Ignored data is not kept in memory, so its lines may be long enough
   * for an image.
   */
  get #lineLimit(): number {
    return this.#field === "data" ? 2 * this.#limits.imageBytes : this.#limits.lineBytes
  }

  /** Starts the value of the field with the name in `#text`. The name ended at a colon, or at the end of the line. */
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
/**
 * The estimate for the next image: slightly more than the last one, so that a slightly larger image still fits into one
 * segment of memory.
 */
const guess = (lastImageBytes: number): number => Math.ceil(lastImageBytes * 1.05)
