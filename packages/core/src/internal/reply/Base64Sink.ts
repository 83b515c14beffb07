/**
 * Decodes the base64 of one image while it arrives, in linear time. The sink accepts the standard base64 alphabet, with
 * or without padding at the end.
 */
import { allocate, decodeGroups, sextetOf } from "../base64.ts"

const smallestSegment = 512
const largestSegment = 8 * 1024 * 1024
const equalsSign = 0x3d

export class Base64Sink {
  /** Why the image or a character was last refused. Stays set if the caller then handles the character. */
  problem: "not base64" | "too large" | undefined
  /** The filled segments of memory, each cut to the bytes that were written to it. */
  readonly #full: Array<Uint8Array> = []
  #fullBytes = 0
  /** The segment of memory that is being filled, and the number of bytes written to it. */
  #segment: Uint8Array
  #filled = 0
  /**
   * An incomplete group of 4 base64 characters: `#pending` is its number of characters (0 to 3), and `#bits` has their
   * bits.
   */
  #pending = 0
  #bits = 0
  /** The number of `=` so far. After a `=`, only another `=` may follow. */
  #padding = 0
  readonly #limit: number

  /** The number of decoded bytes so far. */
  get length(): number {
    return this.#fullBytes + this.#filled
  }

  /** `expected` is an estimate of the image's size in bytes. If it is slightly too high, no large image is copied. */
  constructor(limit: number, expected: number) {
    this.#limit = limit
    this.#segment = allocate(Math.min(Math.max(expected, smallestSegment), limit))
  }

  /**
   * Decodes base64 from the start of `text`, and returns the number of characters that were decoded. The caller handles
   * the characters after these.
   */
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

  /**
   * Decodes one character. If the character is not allowed at this position, or the image gets too large, returns false
   * and sets `problem`.
   */
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

  /**
   * Returns the image. If the base64 ends within a byte, its padding is wrong or the image is too large, returns
   * `undefined` and sets `problem`.
   */
  finish(): Uint8Array | undefined {
    if (this.#pending === 1 || (this.#padding > 0 && this.#pending + this.#padding !== 4)) {
      this.refuse("not base64")
      return undefined
    }
    if (this.#pending > 1) {
      if (!this.#reserve(this.#pending - 1)) return undefined
      const bits = this.#bits << (6 * (4 - this.#pending))
      this.#segment[this.#filled++] = bits >> 16
      if (this.#pending === 3) this.#segment[this.#filled++] = bits >> 8
    }
    const last = new Uint8Array(this.#segment.buffer, 0, this.#filled)
    // Memory of up to an eighth of the image's size may stay unused, because a copy of the image would cost more.
    if (this.#full.length === 0 && this.#segment.length - this.#filled <= this.#filled / 8) {
      // The unused memory is cleared, because it may contain other data of the process.
      this.#segment.fill(0, this.#filled)
      return last
    }
    return concat([...this.#full, last], this.length)
  }

  /**
   * Makes room for this many bytes in one segment. If the image would exceed the limit, sets `problem` and returns
   * false.
   */
  #reserve(bytes: number): boolean {
    if (this.length + bytes > this.#limit) return this.refuse("too large")
    if (this.#filled + bytes <= this.#segment.length) return true
    this.#full.push(this.#segment.subarray(0, this.#filled))
    this.#fullBytes += this.#filled
    this.#segment = allocate(Math.max(bytes, Math.min(this.#segment.length * 2, largestSegment)))
    this.#filled = 0
    return true
  }

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
