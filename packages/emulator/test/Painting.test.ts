import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Label from "../src/internal/painting/Label.ts"
import { paint, type PaintOptions, type RawImage } from "../src/internal/painting/Painting.ts"

const small = { prompt: "a cute baby sea otter", seed: 1, width: 96, height: 64 } satisfies PaintOptions

const meanError = (a: RawImage, b: RawImage) =>
  a.pixels.reduce((sum, value, index) => sum + Math.abs(value - (b.pixels[index] ?? 0)), 0) / a.pixels.length

const alphas = (image: RawImage) => image.pixels.filter((_, index) => index % 4 === 3)

const onePromptAScene = [
  "a cute baby sea otter",
  "the ocean at sunset",
  "snowy mountains under the northern lights",
  "a path through the forest",
  "a city at night",
  "dunes in the desert",
  "a planet in a nebula",
  "a red flower",
  "portrait of a woman",
  "an abstract idea"
]

describe("paint", () => {
  it.effect("gives opaque RGBA pixels of the requested size", () =>
    Effect.gen(function* () {
      for (const [width, height] of [
        [64, 64],
        [90, 60],
        [60, 90],
        [31, 17]
      ] as const) {
        const image = yield* paint({ ...small, width, height })
        assert.deepStrictEqual([image.width, image.height], [width, height])
        assert.strictEqual(image.pixels.length, width * height * 4)
        assert.isTrue(alphas(image).every((alpha) => alpha === 255))
      }
    })
  )

  it.effect("gives the same bytes for the same prompt, seed and size", () =>
    Effect.gen(function* () {
      for (const prompt of onePromptAScene) {
        const first = yield* paint({ ...small, prompt })
        const [second] = yield* Effect.all([paint({ ...small, prompt }), paint({ ...small, seed: 9 })], {
          concurrency: 2
        })
        assert.deepStrictEqual(second, first)
      }
    })
  )

  it.effect("gives visibly different images for other prompts and other seeds", () =>
    Effect.gen(function* () {
      const images = yield* Effect.forEach(onePromptAScene, (prompt) => paint({ ...small, prompt }))
      const siblings = yield* Effect.forEach([2, 3, 4], (seed) => paint({ ...small, prompt: "the ocean", seed }))
      for (const family of [images, siblings]) {
        for (const [index, image] of family.entries()) {
          for (const other of family.slice(index + 1)) assert.isAbove(meanError(image, other), 8)
        }
      }
    })
  )

  it.effect("paints the sea for a lighthouse in a storm", () =>
    Effect.gen(function* () {
      const { pixels } = yield* paint({ ...small, prompt: "A lighthouse in a storm" })
      const lowerHalf = pixels.subarray(pixels.length / 2)
      const sum = (channel: number) => lowerHalf.reduce((total, value, i) => total + (i % 4 === channel ? value : 0), 0)
      assert.isAbove(sum(2), sum(0), "the water is more blue than red")
    })
  )

  it.effect("has more detail at a higher quality", () =>
    Effect.gen(function* () {
      const roughness = (image: RawImage) =>
        image.pixels.reduce((sum, value, index) => sum + Math.abs(value - (image.pixels[index + 4] ?? value)), 0)
      const roughnessOf = (quality: "low" | "medium" | "high") =>
        Effect.map(paint({ ...small, prompt: "the ocean", quality }), roughness)
      const low = yield* roughnessOf("low")
      const medium = yield* roughnessOf("medium")
      const high = yield* roughnessOf("high")
      assert.isTrue(0 < low && low < medium && medium < high)
    })
  )

  it.effect("leaves a transparent background empty around the subject, in every scene", () =>
    Effect.gen(function* () {
      for (const prompt of onePromptAScene) {
        const image = yield* paint({ ...small, prompt, background: "transparent" })
        const alpha = alphas(image)
        const share = (wanted: number) => alpha.filter((value) => value === wanted).length / alpha.length
        assert.isAbove(share(0), 0.2, prompt)
        assert.isAbove(share(255), 0.05, prompt)
        assert.strictEqual(alpha[0], 0, prompt)
      }
    })
  )

  it.effect("paints the caption at every size, on every background and at every stage", () =>
    Effect.gen(function* () {
      const sizes = [
        [128, 128],
        [300, 200],
        [200, 300],
        [512, 512]
      ] as const
      for (const [width, height] of sizes) {
        for (const background of ["opaque", "transparent"] as const) {
          for (const index of [1, 2]) {
            const image = yield* paint({ ...small, width, height, background, stage: { index, of: 2 } })
            const { dark, white } = labelPixels(image)
            assert.isAbove(white, 0.05, `${width}x${height} ${background} ${index}: letters`)
            assert.isAbove(dark, 0.3, `${width}x${height} ${background} ${index}: plate`)
          }
        }
      }
    })
  )

  it.effect("puts `emulated` into the caption, and as many words of the prompt as fit", () =>
    Effect.gen(function* () {
      const widthOf = (prompt: string, width = 1024, height = 1024) => {
        const box = Label.make({ width, height, aspect: width / height, pixel: 1 / height }, prompt)
        assert.isAbove(box.left, 0, prompt)
        assert.isBelow(box.right, width / height, prompt)
        return box.right - box.left
      }
      const alone = widthOf("")
      const widths = ["A", "A cute", "A cute baby", "A cute baby sea otter"].map((prompt) => widthOf(prompt))
      assert.deepStrictEqual(
        [alone, ...widths],
        [alone, ...widths].toSorted((a, b) => a - b)
      )
      assert.strictEqual(new Set([alone, ...widths]).size, 5)
      // The caption is only `emulated` if no word of the prompt can be drawn, or if the first one that can be drawn does
      // not fit.
      assert.strictEqual(widthOf("かわいいラッコ"), alone)
      assert.strictEqual(widthOf("https://example.com/".repeat(20)), alone)
      assert.isAbove(widthOf("One, two. (Three) & „Straße“ 4567890-x?"), alone)
      widthOf("A cute baby sea otter", 64, 64)

      const paintedWith = (prompt: string) =>
        Effect.map(paint({ ...small, width: 512, height: 512, prompt }), ({ pixels }) => {
          const row = Math.floor(512 * (1 - 0.022)) - 12
          return pixels.slice(4 * 512 * row, 4 * 512 * (row + 1))
        })
      assert.notDeepEqual(yield* paintedWith("sea otter one"), yield* paintedWith("sea otter two"))
    })
  )

  it.effect("is closer to the final image at each stage, and equal at the last", () =>
    Effect.gen(function* () {
      for (const prompt of onePromptAScene) {
        for (const background of ["opaque", "transparent"] as const) {
          const options = { ...small, width: 160, height: 128, prompt, background }
          const finished = yield* paint(options)
          const errors = yield* Effect.forEach([1, 2, 3, 4], (index) =>
            paint({ ...options, stage: { index, of: 4 } }).pipe(Effect.map((stage) => meanError(stage, finished)))
          )
          assert.strictEqual(errors[3], 0)
          for (const [index, error] of errors.slice(1).entries()) {
            assert.isBelow(error, 0.9 * (errors[index] ?? 0), `${prompt}, stage ${index + 2}`)
          }
        }
      }
    })
  )

  it.effect("yields to other fibers while it paints, and stops when interrupted", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(paint({ ...small, width: 2048, height: 2048 }))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.strictEqual(exit._tag, "Failure")
    })
  )
})

/** Returns two shares of the caption's pixels: those as bright as its letters, and those as dark as its plate. */
const labelPixels = ({ height, pixels, width }: RawImage) => {
  const box = Label.make({ width, height, aspect: width / height, pixel: 1 / height }, small.prompt)
  let [white, dark, all] = [0, 0, 0]
  for (let row = Math.ceil(box.top * height); row < Math.floor(box.bottom * height); row++) {
    for (let column = Math.ceil(box.left * height); column < Math.floor(box.right * height); column++) {
      const value = pixels[4 * (row * width + column)] ?? 0
      all++
      if (value > 190) white++
      if (value < 150) dark++
    }
  }
  return { white: white / all, dark: dark / all }
}
