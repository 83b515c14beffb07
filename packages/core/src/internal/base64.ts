/**
 * Base64 with the fastest coder that the platform has: Node's `Buffer`, else `Uint8Array.fromBase64` and its kin
 * (Chromium, Node 25), else Effect's. White space, escapes and padding are not dealt with here.
 */
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"

interface NodeBuffer extends Uint8Array {
  toString(encoding?: "latin1" | "base64", from?: number, to?: number): string
  write(text: string, at: number, encoding: "base64"): number
}

// Declared and not imported: the core is compiled without the types of any platform.
declare const Buffer:
  | {
      from(source: ArrayBufferLike, offset: number, length: number): NodeBuffer
      allocUnsafeSlow(length: number): NodeBuffer
      isBuffer(bytes: Uint8Array): bytes is NodeBuffer
    }
  | undefined
declare const TextDecoder: new (label: string) => { decode(bytes: Uint8Array): string }

const nodeBuffer = typeof Buffer === "undefined" ? undefined : Buffer
const asBuffer =
  nodeBuffer &&
  ((bytes: Uint8Array) =>
    nodeBuffer.isBuffer(bytes) ? bytes : nodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.length))

/**
 * Memory of its own for this many bytes, to decode into: with anything in it where the platform can leave out to clear
 * it, and of the platform's own class.
 */
export const allocate = (length: number): Uint8Array =>
  nodeBuffer === undefined ? new Uint8Array(length) : nodeBuffer.allocUnsafeSlow(length)

/** A range of bytes as a string of one character each: what the platform searches and decodes at the speed of memory. */
export const latin1: (bytes: Uint8Array, from: number, to: number) => string = (() => {
  if (asBuffer !== undefined) return (bytes, from, to) => asBuffer(bytes).toString("latin1", from, to)
  const decoder = new TextDecoder("latin1") // windows-1252 in truth: what differs is above 127, and so no base64
  return (bytes, from, to) => decoder.decode(bytes.subarray(from, to))
})()

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/** The value of a character in base64, or -1. */
export const sextetOf = (code: number): number => alphabet.indexOf(String.fromCharCode(code))

interface SetFromBase64 {
  setFromBase64(text: string): { readonly read: number; readonly written: number }
}

const hasSetFromBase64 = (bytes: object): bytes is SetFromBase64 => "setFromBase64" in bytes

type DecodeGroups = (text: string, target: Uint8Array, start: number) => number

/** `decodeGroups` where the platform has no decoder. */
export const decodeGroupsPlainly: DecodeGroups = (text, target, start) => {
  const bytes = Result.getOrElse(Base64.decode(text), () => none)
  target.set(bytes, start)
  return bytes.length
}

const none = new Uint8Array()

/**
 * Decodes whole groups of 4 characters of the standard alphabet into `target` from `start` on, where there is room.
 * Gives how many bytes that made: fewer than 3 a group, with anything in `target`, where a character is not of the
 * alphabet.
 */
export const decodeGroups: DecodeGroups = (() => {
  if (asBuffer !== undefined) {
    // Node takes the URL alphabet for the standard one and skips what is neither, so both are looked for here.
    return (text, target, start) =>
      text.includes("-") || text.includes("_") ? 0 : asBuffer(target).write(text, start, "base64")
  }
  if (hasSetFromBase64(Uint8Array.prototype)) {
    return (text, target, start) => {
      try {
        const room = target.subarray(start)
        return hasSetFromBase64(room) ? room.setFromBase64(text).written : 0
      } catch {
        return 0 // A SyntaxError is how it says that a character is not of the alphabet.
      }
    }
  }
  return decodeGroupsPlainly
})()

/** The bytes in base64, with padding. */
export const toBase64 = (bytes: Uint8Array): string =>
  asBuffer === undefined ? Base64.encode(bytes) : asBuffer(bytes).toString("base64")
