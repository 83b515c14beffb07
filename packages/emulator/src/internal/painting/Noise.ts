/**
 * Makes Perlin's gradient noise in two dimensions, and sums of it over octaves, for clouds, waves and mountains. The
 * values are around 0, most of them between -1 and 1, except those of `ridged`.
 */
import type { Random } from "./Random.ts"

export interface Noise {
  readonly at: (x: number, y: number) => number
  /**
   * A sum of octaves of noise. Each octave has half the height of the one before and twice its frequency. It is also
   * rotated, so that no axis is visible.
   */
  readonly fractal: (x: number, y: number, octaves: number) => number
  /** A sum of octaves like `fractal`, but with sharp crests, as on mountains. Its values are from 0 to 1. */
  readonly ridged: (x: number, y: number, octaves: number) => number
}

export const make = (random: Random): Noise => {
  const order = shuffled(random)
  const gradientX = new Float64Array(256)
  const gradientY = new Float64Array(256)
  for (let i = 0; i < 256; i++) {
    gradientX[i] = 1.5 * Math.cos((i / 256) * 2 * Math.PI)
    gradientY[i] = 1.5 * Math.sin((i / 256) * 2 * Math.PI)
  }

  const corner = (index: number, dx: number, dy: number): number => gradientX[index]! * dx + gradientY[index]! * dy

  const at = (x: number, y: number): number => {
    const cellX = Math.floor(x)
    const cellY = Math.floor(y)
    const dx = x - cellX
    const dy = y - cellY
    const u = dx * dx * dx * (dx * (dx * 6 - 15) + 10)
    const v = dy * dy * dy * (dy * (dy * 6 - 15) + 10)
    const left = order[cellX & 255]! + (cellY & 255)
    const right = order[(cellX + 1) & 255]! + (cellY & 255)
    const top = corner(order[left]!, dx, dy)
    const bottom = corner(order[left + 1]!, dx, dy - 1)
    return (
      (top + u * (corner(order[right]!, dx - 1, dy) - top)) * (1 - v) +
      (bottom + u * (corner(order[right + 1]!, dx - 1, dy - 1) - bottom)) * v
    )
  }

  const fractal = (x: number, y: number, octaves: number): number => {
    let sum = 0
    let height = 0.5
    for (let octave = 0; octave < octaves; octave++) {
      sum += height * at(x, y)
      const turned = 1.6 * x + 1.2 * y + 17.3
      y = 1.6 * y - 1.2 * x + 5.1
      x = turned
      height *= 0.5
    }
    return sum
  }

  const ridged = (x: number, y: number, octaves: number): number => {
    let sum = 0
    let height = 0.5
    for (let octave = 0; octave < octaves; octave++) {
      const crest = 1 - Math.min(1, Math.abs(at(x, y)))
      sum += height * crest * crest
      const turned = 1.6 * x + 1.2 * y + 17.3
      y = 1.6 * y - 1.2 * x + 5.1
      x = turned
      height *= 0.5
    }
    return sum
  }

  return { at, fractal, ridged }
}

/**
 * Returns the numbers 0 to 255 in random order, three times in a row. So the sum of two of them, plus 1, is still a
 * valid index.
 */
const shuffled = (random: Random): Uint8Array => {
  const order = Uint8Array.from({ length: 256 }, (_, index) => index)
  for (let i = 255; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1))
    const held = order[i]!
    order[i] = order[j]!
    order[j] = held
  }
  return Uint8Array.from({ length: 768 }, (_, index) => order[index & 255]!)
}
