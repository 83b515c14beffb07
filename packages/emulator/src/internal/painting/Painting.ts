/**
 * Paints an image from a prompt, a seed and a size. The same options give the same pixels. An image can be painted in
 * stages: each stage before the last gives a partial image, which is closer to the final image than the one before.
 */
import { Effect } from "effect"
import { clamp, Ink } from "./Colour.ts"
import { compose } from "./Composition.ts"
import * as Label from "./Label.ts"
import { hashBits, hashText } from "./Random.ts"
import * as Refinement from "./Refinement.ts"
import type { Frame, Shader } from "./Scene.ts"

export type Quality = "low" | "medium" | "high" | "xhigh" | "max"

export interface PaintOptions {
  readonly prompt: string
  /** Another seed gives another image for the same prompt. */
  readonly seed: number
  /** `width` and `height` are in pixels: positive integers. */
  readonly width: number
  readonly height: number
  /**
   * `transparent` paints only the caption and the subject, or a disc of the backdrop if the scene has no subject;
   * around them alpha is 0. Default: `opaque`.
   */
  readonly background?: "opaque" | "transparent"
  /** How much detail and grain the image has. Default: `high`. */
  readonly quality?: Quality
  /**
   * Which stage to paint: number `index`, from 1, of `of` stages. The last stage is the final image. Default: the final
   * image.
   */
  readonly stage?: { readonly index: number; readonly of: number }
}

/** An image as pixels. */
export interface RawImage {
  readonly width: number
  readonly height: number
  /** RGBA with one byte per channel, row by row from the top. Alpha is not premultiplied. */
  readonly pixels: Uint8Array
}

/**
 * For each quality: the usual number of octaves of fractal noise, and the strength of the grain, in levels of a channel
 * (0 to 255).
 */
const details = {
  low: { octaves: 2, grain: 2 },
  medium: { octaves: 3, grain: 5 },
  high: { octaves: 4, grain: 8 },
  xhigh: { octaves: 5, grain: 8 },
  max: { octaves: 6, grain: 8 }
} as const satisfies { readonly [quality in Quality]: { readonly octaves: number; readonly grain: number } }

/**
 * Paints an image in bands of rows. It yields to other fibers between two bands, so that other work can go on, and the
 * painting can be interrupted.
 */
export const paint = Effect.fnUntraced(function* (options: PaintOptions) {
  const { background = "opaque", height, prompt, quality = "high", seed, stage = { index: 1, of: 1 }, width } = options
  const { grain, octaves } = details[quality]
  const frame = makeFrame(width, height)
  const grainSeed = hashText(`${prompt}\n${seed}\n${width}x${height}`)
  const sceneFor = (canvas: Frame) => compose({ prompt, seed, frame: canvas, background, octaves })

  const progress = stage.index / stage.of
  if (progress >= 1) {
    return yield* render(labelled(sceneFor(frame), frame, prompt), frame, { height: grain, seed: grainSeed })
  }

  const coarse = makeFrame(...Refinement.coarser(width, height, progress))
  const sketch = yield* render(sceneFor(coarse), coarse, { height: 0, seed: grainSeed })
  const emerging = Refinement.emerging(sketch, frame)
  return yield* render(labelled(emerging, frame, prompt), frame, {
    height: Refinement.noise(progress),
    seed: grainSeed
  })
})

const makeFrame = (width: number, height: number): Frame => ({
  width,
  height,
  aspect: width / height,
  pixel: 1 / height
})

const labelled = (shader: Shader, frame: Frame, prompt: string): Shader => {
  const label = Label.make(frame, prompt)
  return (ink, x, y, column) => {
    shader(ink, x, y, column)
    if (x >= label.left && y >= label.top && x <= label.right && y <= label.bottom) label.paint(ink, x, y, column)
  }
}

interface Grain {
  readonly height: number
  readonly seed: number
}

/** The number of pixels in a band, rounded down to whole rows, but at least one row. */
const bandPixels = 12_000

const render = Effect.fnUntraced(function* (shader: Shader, frame: Frame, grain: Grain) {
  const { height, width } = frame
  const image: RawImage = { width, height, pixels: new Uint8Array(width * height * 4) }
  const rows = Math.max(1, Math.floor(bandPixels / width))
  for (let top = 0; top < height; top += rows) {
    renderRows(image, shader, frame, grain, top, Math.min(height, top + rows))
    yield* Effect.yieldNow
  }
  return image
})

const renderRows = (image: RawImage, shader: Shader, frame: Frame, grain: Grain, top: number, bottom: number): void => {
  const { pixels, width } = image
  const ink = new Ink()
  let offset = top * width * 4
  for (let row = top; row < bottom; row++) {
    const y = (row + 0.5) * frame.pixel
    for (let column = 0; column < width; column++, offset += 4) {
      ink.clear()
      shader(ink, (column + 0.5) * frame.pixel, y, column)
      if (ink.a === 0) continue
      const bits = hashBits(column, row, grain.seed)
      const speck = (((bits & 0xffff) + (bits >>> 16)) / 65536 - 1) * grain.height + 0.5
      pixels[offset] = clamp(ink.r * 255 + speck, 0, 255)
      pixels[offset + 1] = clamp(ink.g * 255 + speck, 0, 255)
      pixels[offset + 2] = clamp(ink.b * 255 + speck, 0, 255)
      pixels[offset + 3] = ink.a * 255 + 0.5
    }
  }
}
