/**
 * Collects the bytes of one image from its base64, as the characters come, in time and memory linear in the image.
 * Accepted is the standard alphabet, with or without the final padding.
 */
import { allocate, decodeGroups, sextetOf } from "../base64.ts"

const smallestSegment = 512
const largestSegment = 8 * 1024 * 1024
const equalsSign = 0x3d

export class Base64Sink {
  /** The problem that the last character met, if any. */
  problem: "not base64" | "too large" | undefined
  /** Segments that are full, each cut to what is in it. */
  readonly #full: Array<Uint8Array> = []
  #fullBytes = 0
  /** The segment that is being filled, and how far it is. */
  #segment: Uint8Array
  #filled = 0
  /** The characters, 0 to 3 of them, that wait for the rest of their group of 4, as bits. */
  #waiting = 0
  #bits = 0
  /** How many `=` came; nothing but another may follow. */
  #padding = 0
  readonly #limit: number

  /** The bytes that are decoded so far. */
  get length(): number {
    return this.#fullBytes + this.#filled
  }

  /** With `expected`, a guess at the bytes of the image that is right or a little high, nothing is copied. */
  constructor(limit: number, expected: number) {
    this.#limit = limit
    this.#segment = allocate(Math.min(Math.max(expected, smallestSegment), limit))
  }

  /** Takes what it can of `text` at once, and gives how many characters it took: the next one needs a closer look. */
  writeRun(text: string): number {
    let taken = 0
    while (this.#waiting > 0 && taken < text.length) {
      if (!this.writeCharacter(text.charCodeAt(taken))) return taken
      taken++
    }
    const groups = (text.length - taken) >> 2
    if (groups > 0 && this.#padding === 0) {
      if (!this.#reserve(groups * 3)) return taken
      const body = groups * 4 === text.length ? text : text.substring(taken, taken + groups * 4)
      if (decodeGroups(body, this.#segment, this.#filled) < groups * 3) return taken
      this.#filled += groups * 3
      taken += groups * 4
    }
    while (taken < text.length && this.writeCharacter(text.charCodeAt(taken))) taken++
    return taken
  }

  /** Takes one character; false, with `problem` set, where it cannot stand there. */
  writeCharacter(code: number): boolean {
    const sextet = sextetOf(code)
    if (code === equalsSign) {
      this.#padding++
      return this.#waiting + this.#padding <= 4 && this.#waiting >= 2 ? true : this.refuse("not base64")
    }
    if (sextet < 0 || this.#padding > 0) return this.refuse("not base64")
    this.#bits = (this.#bits << 6) | sextet
    if (++this.#waiting < 4) return true
    if (!this.#reserve(3)) return false
    this.#segment[this.#filled++] = this.#bits >> 16
    this.#segment[this.#filled++] = this.#bits >> 8
    this.#segment[this.#filled++] = this.#bits
    this.#waiting = 0
    this.#bits = 0
    return true
  }

  /** The image; `undefined`, with `problem` set, where the last group cannot end there. */
  finish(): Uint8Array | undefined {
    if (this.#waiting === 1 || (this.#padding > 0 && this.#waiting + this.#padding !== 4)) {
      this.refuse("not base64")
      return undefined
    }
    if (this.#waiting > 1) {
      if (!this.#reserve(2)) return undefined
      const bits = this.#bits << (6 * (4 - this.#waiting))
      this.#segment[this.#filled++] = bits >> 16
      if (this.#waiting === 3) this.#segment[this.#filled++] = bits >> 8
    }
    const last = new Uint8Array(this.#segment.buffer, 0, this.#filled)
    // A guess that was a little high is kept as it is: an eighth of memory is cheaper than a copy of the image.
    if (this.#full.length === 0 && this.#segment.length - this.#filled <= this.#filled / 8) {
      this.#segment.fill(0, this.#filled) // What was in this memory before is nobody's to see.
      return last
    }
    return concat([...this.#full, last], this.length)
  }

  /** Makes room for this many bytes in one piece. */
  #reserve(bytes: number): boolean {
    if (this.length + bytes > this.#limit) return this.refuse("too large")
    if (this.#filled + bytes <= this.#segment.length) return true
    this.#full.push(this.#segment.subarray(0, this.#filled))
    this.#fullBytes += this.#filled
    this.#segment = allocate(Math.max(bytes, Math.min(this.#segment.length * 2, largestSegment)))
    this.#filled = 0
    return true
  }

  /** Says why the image cannot be. */
  refuse(problem: "not base64" | "too large"): false {
    this.problem = problem
    return false
  }
}

const concat = (parts: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const whole = new Uint8Array(allocate(length).buffer)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
