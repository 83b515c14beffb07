/**
 * The types of a scene. A scene consists of functions that put ink on a point of the image. Coordinates do not depend
 * on the resolution: y goes from 0 (top) to 1 (bottom), and x from 0 to the frame's aspect ratio.
 */
import type { Ink } from "./Colour.ts"
import type { Noise } from "./Noise.ts"
import type { Palette } from "./Palette.ts"
import type { PromptHints } from "./Prompt.ts"
import type { Random } from "./Random.ts"

/** The size of the image, in pixels and in proportion. */
export interface Frame {
  readonly width: number
  readonly height: number
  /** Width divided by height. */
  readonly aspect: number
  /** The side of one pixel, in coordinates. */
  readonly pixel: number
}

/** Puts ink on the point (x, y), which is in this column of pixels. */
export type Shader = (ink: Ink, x: number, y: number, column: number) => void

export interface Scene {
  /** Covers every point. */
  readonly backdrop: Shader
  /** The part in front of the backdrop. If a scene has it, an image with a transparent background has no backdrop. */
  readonly subject?: Shader
}

/** Everything that a scene is made from. */
export interface Sketch {
  readonly frame: Frame
  readonly background: "opaque" | "transparent"
  readonly hints: PromptHints
  readonly palette: Palette
  readonly random: Random
  readonly noise: Noise
  /** The usual number of octaves of fractal noise, 2 to 6 by the quality. Some parts of a scene have more or fewer. */
  readonly octaves: number
}

/** Computes a value, such as the height of a ridge, once for each column of pixels. */
export const perColumn = (frame: Frame, value: (x: number) => number): Float32Array =>
  Float32Array.from({ length: frame.width }, (_, column) => value((column + 0.5) * frame.pixel))
