/**
 * Makes partial images: the scene is painted at a low resolution, enlarged smoothly, and covered with noise. From stage
 * to stage the noise decreases, and the resolution grows or stays at its minimum.
 */
import { clamp } from "./Colour.ts"
import type { RawImage } from "./Painting.ts"
import type { Frame, Shader } from "./Scene.ts"

/** Returns the width and height of the low-resolution image at this progress, which is between 0 and 1. */
export const coarser = (width: number, height: number, progress: number): [width: number, height: number] => {
  const share = 2 ** (-6.5 * (1 - progress))
  return [Math.max(8, Math.round(width * share)), Math.max(8, Math.round(height * share))]
}

/** Returns the strength of the noise at this progress, in levels of a channel (0 to 255). */
export const noise = (progress: number): number => 20 + 100 * (1 - progress) ** 1.5

/** Makes the shader that enlarges the low-resolution image to the frame, with cubic B-splines. */
export const emerging = (coarse: RawImage, frame: Frame): Shader => {
  const { height, pixels, width } = coarse
  const weightsX = new Float64Array(4)
  const weightsY = new Float64Array(4)
  return (ink, x, y) => {
    const column = (x / frame.aspect) * width - 0.5
    const row = y * height - 0.5
    const left = Math.floor(column)
    const top = Math.floor(row)
    spline(weightsX, column - left)
    spline(weightsY, row - top)
    let r = 0
    let g = 0
    let b = 0
    let a = 0
    for (let j = 0; j < 4; j++) {
      const line = clamp(top + j - 1, 0, height - 1) * width
      for (let i = 0; i < 4; i++) {
        const offset = 4 * (line + clamp(left + i - 1, 0, width - 1))
        const weight = weightsY[j]! * weightsX[i]! * pixels[offset + 3]!
        r += weight * pixels[offset]!
        g += weight * pixels[offset + 1]!
        b += weight * pixels[offset + 2]!
        a += weight
      }
    }
    if (a > 0) ink.overRgb(r / a / 255, g / a / 255, b / a / 255, a / 255)
  }
}

const spline = (weights: Float64Array, t: number): void => {
  const u = 1 - t
  weights[0] = (u * u * u) / 6
  weights[1] = (4 - 6 * t * t + 3 * t * t * t) / 6
  weights[2] = (4 - 6 * u * u + 3 * u * u * u) / 6
  weights[3] = (t * t * t) / 6
}
