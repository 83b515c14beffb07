import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import sharp from "sharp"
import { encode, type Format } from "../src/internal/painting/Encoding.ts"
import { paint, type PaintOptions } from "../src/internal/painting/Painting.ts"

const options = { prompt: "a flower", seed: 3, width: 120, height: 80 } satisfies PaintOptions
const opaque = paint(options)
const transparent = paint({ ...options, background: "transparent" })

const metadata = (bytes: Uint8Array) => Effect.promise(() => sharp(bytes).metadata())
const pixels = (bytes: Uint8Array) => Effect.promise(() => sharp(bytes).ensureAlpha().raw().toBuffer())

/** Reads the width and height of an image from the file that `encode` makes, for each format. */
const sizeInHeader: { readonly [format in Format]: (bytes: Buffer) => readonly [number, number] } = {
  png: (bytes) => [bytes.readUInt32BE(16), bytes.readUInt32BE(20)],
  gif: (bytes) => [bytes.readUInt16LE(6), bytes.readUInt16LE(8)],
  webp: (bytes) => [bytes.readUIntLE(24, 3) + 1, bytes.readUIntLE(27, 3) + 1],
  jpeg: (bytes) => {
    let at = 2
    while (![0xc0, 0xc1, 0xc2].includes(bytes.readUInt8(at + 1))) at += 2 + bytes.readUInt16BE(at + 2)
    return [bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5)]
  }
}

/** The first bytes of a file of each format, as Latin-1 text. */
const signatures: { readonly [format in Format]: string } = {
  png: "\x89PNG\r\n\x1a\n",
  webp: "RIFF",
  gif: "GIF89a",
  jpeg: "\xff\xd8\xff"
}

const formats = ["png", "webp", "jpeg", "gif"] as const

describe("encode", () => {
  it.effect("writes the format and the dimensions into the file", () =>
    Effect.gen(function* () {
      const image = yield* opaque
      for (const format of formats) {
        const bytes = yield* encode(image, { format })
        const { height, format: found, width } = yield* metadata(bytes)
        assert.deepStrictEqual([found, width, height], [format, 120, 80])
        const buffer = Buffer.from(bytes)
        assert.isTrue(buffer.toString("latin1").startsWith(signatures[format]))
        assert.deepStrictEqual(sizeInHeader[format](buffer), [120, 80])
      }
    })
  )

  it.effect("keeps every pixel in a PNG", () =>
    Effect.gen(function* () {
      const image = yield* transparent
      assert.isTrue(Buffer.from(image.pixels).equals(yield* pixels(yield* encode(image, { format: "png" }))))
    })
  )

  it.effect("keeps transparency in PNG and WebP, and makes it white in JPEG", () =>
    Effect.gen(function* () {
      const image = yield* transparent
      for (const format of ["png", "webp"] as const) {
        const bytes = yield* encode(image, { format })
        assert.isTrue((yield* metadata(bytes)).hasAlpha)
        assert.strictEqual((yield* pixels(bytes))[3], 0)
      }
      const jpeg = yield* pixels(yield* encode(image, { format: "jpeg" }))
      assert.isTrue([0, 1, 2, 3].every((channel) => jpeg.readUInt8(channel) > 245))
    })
  )

  it.effect("makes WebP and JPEG smaller with a lower `compression`, down to 0", () =>
    Effect.gen(function* () {
      const image = yield* opaque
      for (const format of ["webp", "jpeg"] as const) {
        const sizes = yield* Effect.forEach([0, 30, 60, 100], (compression) =>
          encode(image, { format, compression }).pipe(Effect.map((bytes) => bytes.length))
        )
        assert.deepStrictEqual(
          sizes,
          [...new Set(sizes)].toSorted((a, b) => a - b)
        )
      }
    })
  )

  it.effect("says in the EXIF data that the image is emulated, if the format has EXIF", () =>
    Effect.gen(function* () {
      const image = yield* opaque
      for (const format of ["png", "webp", "jpeg"] as const) {
        const { exif } = yield* metadata(yield* encode(image, { format }))
        assert.include(exif?.toString("latin1"), "emulated")
      }
    })
  )

  it.effect("fails with the format and the cause if there are too few pixels", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(encode({ width: 10, height: 10, pixels: new Uint8Array(4) }, { format: "webp" }))
      assert.strictEqual(error._tag, "EncodingError")
      assert.strictEqual(error.format, "webp")
      assert.instanceOf(error.cause, Error)
    })
  )
})
