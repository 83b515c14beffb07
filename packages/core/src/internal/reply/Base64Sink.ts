/**
 * Decodes the base64 of one image while it arrives, in time and memory linear in the image. It accepts the standard
 * alphabet, with or without padding at the end.
 */
import { allocate, decodeGroups, sextetOf } from "../base64.ts"

const smallestSegment = 512
const largestSegment = 8 * 1024 * 1024
const equalsSign = 0x3d

export class Base64Sink {
  /** Why the image was refused. `undefined` if it was not. */
  problem: "not base64" | "too large" | undefined
  /** Full segments, each cut to its content. */
  readonly #full: Array<Uint8Array> = []
  #fullBytes = 0
  /** The segment that is being filled, and how many of its bytes are filled. */
  #segment: Uint8Array
  #filled = 0
  /** The 0 to 3 characters of an incomplete group of 4: their number, and their bits. */
  #pending = 0
  #bits = 0
  /** The number of `=` so far. Only another `=` may follow one. */
  #padding = 0
  readonly #limit: number

  /** The number of decoded bytes so far. */
  get length(): number {
    return this.#fullBytes + this.#filled
  }

  /** `expected` estimates the image's bytes. If it is right or slightly too high, nothing is copied. */
  constructor(limit: number, expected: number) {
    this.#limit = limit
    this.#segment = allocate(Math.min(Math.max(expected, smallestSegment), limit))
  }

  /** Decodes the longest prefix of `text` that is base64. Returns its length; the caller handles the next character. */
  writeRun(text: string): number {
    let taken = 0
    while (this.#pending > 0 && taken < text.length) {
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

  /** Decodes one character. Returns false and sets `problem` if it is not allowed here. */
  writeCharacter(code: number): boolean {
    const sextet = sextetOf(code)
    if (code === equalsSign) {
      this.#padding++
      return this.#pending + this.#padding <= 4 && this.#pending >= 2 ? true : this.refuse("not base64")
    }
    if (sextet < 0 || this.#padding > 0) return this.refuse("not base64")
    this.#bits = (this.#bits << 6) | sextet
    if (++this.#pending < 4) return true
    if (!this.#reserve(3)) return false
    this.#segment[this.#filled++] = this.#bits >> 16
    this.#segment[this.#filled++] = this.#bits >> 8
    this.#segment[this.#filled++] = this.#bits
    this.#pending = 0
    this.#bits = 0
    return true
  }

  /** Returns the image. If the last group is incomplete, it sets `problem` and returns `undefined`. */
  finish(): Uint8Array | undefined {
    if (this.#pending === 1 || (this.#padding > 0 && this.#pending + this.#padding !== 4)) {
      this.refuse("not base64")
      return undefined
    }
    if (this.#pending > 1) {
      if (!this.#reserve(2)) return undefined
      const bits = this.#bits << (6 * (4 - this.#pending))
      this.#segment[this.#filled++] = bits >> 16
      if (this.#pending === 3) this.#segment[this.#filled++] = bits >> 8
    }
    const last = new Uint8Array(this.#segment.buffer, 0, this.#filled)
    // Up to an eighth of the memory may stay unused, which is cheaper than a copy of the image.
    if (this.#full.length === 0 && this.#segment.length - this.#filled <= this.#filled / 8) {
      this.#segment.fill(0, this.#filled) // The unused memory may contain other data of the process.
      return last
    }
    return concat([...this.#full, last], this.length)
  }

  /** Makes contiguous room for this many bytes. */
  #reserve(bytes: number): boolean {
    if (this.length + bytes > this.#limit) return this.refuse("too large")
    if (this.#filled + bytes <= this.#segment.length) return true
    this.#full.push(this.#segment.subarray(0, this.#filled))
    this.#fullBytes += this.#filled
    this.#segment = allocate(Math.max(bytes, Math.min(this.#segment.length * 2, largestSegment)))
    this.#filled = 0
    return true
  }

  /** Refuses the image for this reason. */
  refuse(problem: "not base64" | "too large"): false {
    this.problem = problem
    return false
  }
}

const concat = (parts: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const joined = new Uint8Array(allocate(length).buffer)
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}
