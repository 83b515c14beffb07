import { describe, expect, it } from "@effect/vitest"
import { decodeGroups, decodeGroupsPlainly, toBase64 } from "../../src/internal/base64.ts"
import * as Wire from "../support/Wire.ts"

/** What the platform has is chosen when the module loads: here `Buffer`, so the others are tried on their own. */
const decoders = { "the platform's": decodeGroups, "the plain one": decodeGroupsPlainly }

const bytes = Uint8Array.from({ length: 3 * 1024 }, (_, index) => (index * 7919) >> 3)

describe.each(Object.entries(decoders))("decodeGroups, %s", (_, decode) => {
  it("decodes whole groups of every length", () => {
    for (let length = 0; length < 300; length += 3) {
      const target = new Uint8Array(length)
      expect(decode(Wire.base64(bytes.subarray(0, length)), target)).toBe(true)
      expect(target).toEqual(bytes.slice(0, length))
    }
  })

  it("decodes into the midst of a buffer, and nowhere else", () => {
    const buffer = new Uint8Array(30).fill(9)
    expect(decode("AAAA", buffer.subarray(10, 13))).toBe(true)
    expect([...buffer.subarray(8, 15)]).toEqual([9, 9, 0, 0, 0, 9, 9])
  })

  it("refuses every character that is not of the alphabet, wherever it stands", () => {
    const alphabet = new Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    for (let code = 0; code < 256; code++) {
      const character = String.fromCharCode(code)
      for (let at = 0; at < 8; at++) {
        const text = `AAAAAAAA`.slice(0, at) + character + `AAAAAAAA`.slice(at + 1)
        expect(decode(text, new Uint8Array(6)), `${code} at ${at}`).toBe(alphabet.has(character))
      }
    }
  })
})

describe("toBase64", () => {
  it("writes base64 with its padding", () => {
    for (let length = 0; length < 10; length++) {
      expect(toBase64(bytes.subarray(5, 5 + length))).toBe(Wire.base64(bytes.subarray(5, 5 + length)))
    }
  })
})
