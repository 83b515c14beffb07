/**
 * Encodes and decodes base64. Decodes with `Buffer` if the platform has it, else with
 * `Uint8Array.prototype.setFromBase64`, else with Effect's decoder, which is slower. Callers that decode must handle
 * white space, escapes and padding.
 */
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"

interface NodeBuffer extends Uint8Array {
  toString(encoding?: "latin1" | "base64", from?: number, to?: number): string
  write(text: string, at: number, encoding: "base64" | "latin1"): number
}

// Declared here, not imported, because core is compiled without the types of any platform.
declare const Buffer:
  | {
      from(source: ArrayBufferLike, offset: number, length: number): NodeBuffer
      allocUnsafeSlow(length: number): NodeBuffer
      isBuffer(bytes: Uint8Array): bytes is NodeBuffer
    }
  | undefined
declare const TextDecoder: new (label: string) => { decode(bytes: Uint8Array): string }
declare const TextEncoder: new () => { encodeInto(text: string, target: Uint8Array): { readonly written: number } }

const nodeBuffer = typeof Buffer === "undefined" ? undefined : Buffer
const asBuffer =
  nodeBuffer &&
  ((bytes: Uint8Array) =>
    nodeBuffer.isBuffer(bytes) ? bytes : nodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.length))

/**
 * Allocates memory for bytes. If the platform has `Buffer`, the memory may be uninitialised, and does not come from
 * the shared pool of `Buffer`.
 */
export const allocate = (length: number): Uint8Array =>
  nodeBuffer === undefined ? new Uint8Array(length) : nodeBuffer.allocUnsafeSlow(length)

/** Converts a range of bytes to a string with one character per byte, because strings are fast to search and decode. */
export const latin1: (bytes: Uint8Array, from: number, to: number) => string = (() => {
  if (asBuffer !== undefined) return (bytes, from, to) => asBuffer(bytes).toString("latin1", from, to)
  // In TextDecoder, the label latin1 means windows-1252. It differs from latin1 only above 127, where base64 has no
  // characters.
  const decoder = new TextDecoder("latin1")
  return (bytes, from, to) => decoder.decode(bytes.subarray(from, to))
})()

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/** The 6-bit value of a base64 character, or -1 for any other character. `code` is the character's code. */
export const sextetOf = (code: number): number => alphabet.indexOf(String.fromCharCode(code))

interface SetFromBase64 {
  setFromBase64(text: string): { readonly read: number; readonly written: number }
}

const hasSetFromBase64 = (bytes: object): bytes is SetFromBase64 => "setFromBase64" in bytes

type DecodeGroups = (text: string, target: Uint8Array, start: number) => number

/** The version of `decodeGroups` for platforms without a native base64 decoder. */
export const decodeGroupsPlainly: DecodeGroups = (text, target, start) => {
  const bytes = Result.getOrElse(Base64.decode(text), () => none)
  target.set(bytes, start)
  return bytes.length
}

const none = new Uint8Array()

/**
 * Decodes groups of 4 characters of the standard base64 alphabet into `target` at `start`. `target` must have room for
 * 3 bytes per group. Returns the number of decoded bytes. If a character is not in the alphabet, the number is less
 * than 3 per group, and the bytes in `target` are unspecified.
 */
export const decodeGroups: DecodeGroups = (() => {
  if (asBuffer !== undefined) {
    // Node also decodes the URL alphabet (- and _), which is refused here. Node skips other invalid characters, so the
    // number of decoded bytes is then less than 3 per group.
    return (text, target, start) =>
      text.includes("-") || text.includes("_") ? 0 : asBuffer(target).write(text, start, "base64")
  }
  if (hasSetFromBase64(Uint8Array.prototype)) {
    return (text, target, start) => {
      try {
        const room = target.subarray(start)
        return hasSetFromBase64(room) ? room.setFromBase64(text).written : 0
      } catch {
        return 0 // setFromBase64 threw a SyntaxError: a character is not in the alphabet.
      }
    }
  }
  return decodeGroupsPlainly
})()

/** Encodes the bytes in base64, with padding. */
export const toBase64 = (bytes: Uint8Array): string =>
  asBuffer === undefined ? Base64.encode(bytes) : asBuffer(bytes).toString("base64")

/** Writes the base64 of the bytes to `target` at `start`, and returns its length. */
export const writeBase64: (bytes: Uint8Array, target: Uint8Array, start: number) => number = (() => {
  // In Node, copying the text as latin1 takes less time than `encodeInto`, which checks each character.
  if (asBuffer !== undefined) {
    return (bytes, target, start) => asBuffer(target).write(toBase64(bytes), start, "latin1")
  }
  const encoder = new TextEncoder()
  return (bytes, target, start) => encoder.encodeInto(toBase64(bytes), target.subarray(start)).written
})()
