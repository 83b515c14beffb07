/**
 * Base64 with the fastest coder that the platform has: Node's `Buffer`, else `Uint8Array.fromBase64` and its kin
 * (Chromium, Node 25), else plain code. White space, escapes and padding are not dealt with here.
 */
import * as Base64 from "effect/encoding/Base64"

interface NodeBuffer {
  toString(encoding: "latin1" | "base64"): string
  write(text: string, offset: number, encoding: "base64"): number
}

// Declared and not imported: the core is compiled without the types of any platform.
declare const Buffer:
  | {
      from(source: ArrayBufferLike, offset: number, length: number): NodeBuffer
      allocUnsafeSlow(length: number): Uint8Array
    }
  | undefined
declare const TextDecoder: new (label: string) => { decode(bytes: Uint8Array): string }

const nodeBuffer = typeof Buffer === "undefined" ? undefined : Buffer
const asBuffer = (from: NonNullable<typeof nodeBuffer>, bytes: Uint8Array) =>
  from.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Memory for this many bytes, with anything in it where the platform can leave out to clear it. */
export const allocate = (length: number): Uint8Array =>
  nodeBuffer === undefined ? new Uint8Array(length) : new Uint8Array(nodeBuffer.allocUnsafeSlow(length).buffer)

/** Bytes as a string of one character each: what the platform searches and decodes at the speed of memory. */
export const latin1: (bytes: Uint8Array) => string = (() => {
  if (nodeBuffer !== undefined) return (bytes: Uint8Array) => asBuffer(nodeBuffer, bytes).toString("latin1")
  const decoder = new TextDecoder("latin1") // windows-1252 in truth: what differs is above 127, and so no base64
  return (bytes: Uint8Array) => decoder.decode(bytes)
})()

/** The value of each character code in base64; 255 where it has none. */
const sextets = new Uint8Array(256).fill(255)
for (let i = 0; i < 64; i++) {
  sextets["ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".charCodeAt(i)] = i
}

/** The value of a character code in base64, or 255. */
export const sextetOf = (code: number): number => sextets[code] ?? 255

interface SetFromBase64 {
  setFromBase64(text: string): { readonly read: number; readonly written: number }
}

const hasSetFromBase64 = (bytes: object): bytes is SetFromBase64 => "setFromBase64" in bytes

/** `decodeGroups` where the platform has no decoder. */
export const decodeGroupsPlainly = (text: string, target: Uint8Array): boolean => {
  let seen = 0
  for (let from = 0, at = 0; from < text.length; from += 4, at += 3) {
    const a = sextetOf(text.charCodeAt(from))
    const b = sextetOf(text.charCodeAt(from + 1))
    const c = sextetOf(text.charCodeAt(from + 2))
    const d = sextetOf(text.charCodeAt(from + 3))
    seen |= a | b | c | d
    target[at] = (a << 2) | (b >> 4)
    target[at + 1] = (b << 4) | (c >> 2)
    target[at + 2] = (c << 6) | d
  }
  return seen < 64
}

/**
 * Decodes whole groups of 4 characters of the standard alphabet into `target`, which has just the room for them.
 * Gives false, with anything in `target`, where a character is not of the alphabet.
 */
export const decodeGroups: (text: string, target: Uint8Array) => boolean = (() => {
  if (nodeBuffer !== undefined) {
    // Node takes the URL alphabet for the standard one and skips what is neither, so both are looked for here.
    return (text: string, target: Uint8Array) =>
      asBuffer(nodeBuffer, target).write(text, 0, "base64") === target.length &&
      !text.includes("-") &&
      !text.includes("_")
  }
  if (hasSetFromBase64(Uint8Array.prototype)) {
    return (text: string, target: Uint8Array) => {
      try {
        return hasSetFromBase64(target) && target.setFromBase64(text).written === target.length
      } catch {
        return false // A SyntaxError is how it says that a character is not of the alphabet.
      }
    }
  }
  return decodeGroupsPlainly
})()

interface ToBase64 {
  toBase64(): string
}

const hasToBase64 = (bytes: object): bytes is ToBase64 => "toBase64" in bytes

/** The bytes in base64, with padding. */
export const toBase64 = (bytes: Uint8Array): string => {
  if (nodeBuffer !== undefined) return asBuffer(nodeBuffer, bytes).toString("base64")
  return hasToBase64(bytes) ? bytes.toBase64() : Base64.encode(bytes)
}
