import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import fc from "fast-check"
import * as Wire from "../support/Wire.ts"

/** Takes the place of `Uint8Array.prototype.setFromBase64` on a runtime without it. Accepts no padding. */
function setFromBase64(this: Uint8Array, text: string) {
  const dense = text.replace(/[ \t\n\f\r]/g, "")
  if (!/^[A-Za-z0-9+/]*$/.test(dense)) throw new SyntaxError("not base64")
  const decoded = Buffer.from(dense, "base64").subarray(0, this.length)
  this.set(decoded)
  return { read: text.length, written: decoded.length }
}

const prototype: object = Uint8Array.prototype
const own = Object.getOwnPropertyDescriptor(prototype, "setFromBase64")

/**
 * Functions that make the globals like those of one platform. The library detects the platform when it is loaded, so it
 * is loaded again for each platform.
 */
const platforms = {
  Buffer: () => {},
  setFromBase64: () => {
    vi.stubGlobal("Buffer", undefined)
    Object.defineProperty(prototype, "setFromBase64", own ?? { value: setFromBase64, configurable: true })
  },
  neither: () => {
    vi.stubGlobal("Buffer", undefined)
    Reflect.deleteProperty(prototype, "setFromBase64")
  }
}

const loadOn = async <A>(becomePlatform: () => void, load: () => Promise<A>): Promise<A> => {
  vi.resetModules()
  becomePlatform()
  const loaded = await load()
  vi.unstubAllGlobals()
  return loaded
}

afterEach(() => {
  vi.unstubAllGlobals()
  Reflect.deleteProperty(prototype, "setFromBase64")
  if (own !== undefined) Object.defineProperty(prototype, "setFromBase64", own)
})

const bytes = Uint8Array.from({ length: 3 * 1024 }, (_, index) => (index * 7919) >> 3)

describe.each(Object.entries(platforms))("on a platform with %s", (name, becomePlatform) => {
  const load = () => loadOn(becomePlatform, () => import("../../src/internal/base64.ts"))

  it("uses Effect's codec only if the platform has none", async () => {
    const { decodeGroups, decodeGroupsPlainly } = await load()
    expect(decodeGroups === decodeGroupsPlainly).toBe(name === "neither")
  })

  it("decodes any number of whole groups", async () => {
    const { decodeGroups } = await load()
    for (let length = 0; length < 300; length += 3) {
      const target = new Uint8Array(length)
      expect(decodeGroups(Wire.base64(bytes.subarray(0, length)), target, 0)).toBe(length)
      expect(target).toEqual(bytes.slice(0, length))
    }
  })

  it("decodes into the middle of a buffer, and changes nothing else", async () => {
    const { decodeGroups } = await load()
    const buffer = new Uint8Array(30).fill(9)
    expect(decodeGroups("AAAA", buffer, 10)).toBe(3)
    expect([...buffer.subarray(8, 15)]).toEqual([9, 9, 0, 0, 0, 9, 9])
  })

  it("refuses every character that is not in the alphabet, at every position", async () => {
    const { decodeGroups } = await load()
    const alphabet = new Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    for (let code = 0; code < 256; code++) {
      const character = String.fromCharCode(code)
      for (let at = 0; at < 8; at++) {
        const text = `${"AAAAAAAA".slice(0, at)}${character}${"AAAAAAAA".slice(at + 1)}`
        expect(decodeGroups(text, new Uint8Array(6), 0) === 6, `${code} at ${at}`).toBe(alphabet.has(character))
      }
    }
  })

  it("encodes base64 with padding", async () => {
    const { toBase64 } = await load()
    for (let length = 0; length < 10; length++) {
      expect(toBase64(bytes.subarray(5, 5 + length))).toBe(Wire.base64(bytes.subarray(5, 5 + length)))
    }
  })

  it("decodes every reply as other tools do", async () => {
    const { properties } = await loadOn(becomePlatform, () => import("../support/Properties.ts"))
    for (const property of Object.values(properties)) await fc.assert(property, { numRuns: 200, seed: 2 })
  })
})
