/**
 * What every scene is: functions from a place in the picture to ink. Places are independent of the resolution: y runs
 * from 0 (top) to 1 (bottom), x from 0 to the frame's aspect.
 */
import type { Ink } from "./Colour.ts"
import type { Noise } from "./Noise.ts"
import type { Palette } from "./Palette.ts"
import type { Reading } from "./Prompt.ts"
import type { Random } from "./Random.ts"

export interface Frame {
  readonly width: number
  readonly height: number
  /** Width by height. */
  readonly aspect: number
  /** The side of one pixel. */
  readonly pixel: number
}

/** Puts ink on the place (x, y), which lies in the given column of pixels. */
export type Shader = (ink: Ink, x: number, y: number, column: number) => void

export interface Scene {
  /** Covers every place. */
  readonly backdrop: Shader
  /** What stands in front and can stand alone on nothing. */
  readonly subject?: Shader
}

export interface Sketch {
  readonly frame: Frame
  readonly background: "opaque" | "transparent"
  readonly reading: Reading
  readonly palette: Palette
  readonly random: Random
  readonly noise: Noise
  /** Octaves to spend on fractal detail: 3 to 6. */
  readonly octaves: number
}

/** A value for each column of pixels, computed once: the skyline of a ridge, say. */
export const perColumn = (frame: Frame, value: (x: number) => number): Float32Array =>
  Float32Array.from({ length: frame.width }, (_, column) => value((column + 0.5) * frame.pixel))
