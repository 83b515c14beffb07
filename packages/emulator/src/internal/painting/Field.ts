/**
 * Approximates a smooth function of the coordinates. The function is computed once on a grid and interpolated between
 * its points, which on large images is faster than computing it for each pixel.
 */
import { clamp } from "./Colour.ts"
import type { Frame } from "./Scene.ts"

export type Field = (x: number, y: number) => number

export interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/**
 * Computes `value` on a grid over the box, and returns a function that interpolates between the points of the grid. A
 * point outside the box gets the value at the box's edge.
 */
export const make = (box: Box, columns: number, rows: number, value: Field): Field => {
  const perX = (columns - 1) / (box.right - box.left)
  const perY = (rows - 1) / (box.bottom - box.top)
  const grid = new Float32Array(columns * rows)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      grid[row * columns + column] = value(box.left + column / perX, box.top + row / perY)
    }
  }
  return (x, y) => {
    const column = clamp((x - box.left) * perX, 0, columns - 1.001)
    const row = clamp((y - box.top) * perY, 0, rows - 1.001)
    const left = column | 0
    const u = column - left
    const v = row - (row | 0)
    const at = (row | 0) * columns + left
    const above = grid[at]! + u * (grid[at + 1]! - grid[at]!)
    const below = grid[at + columns]! + u * (grid[at + columns + 1]! - grid[at + columns]!)
    return above + v * (below - above)
  }
}

/**
 * Makes a field over the frame, from the top to the y coordinate `bottom`. The grid has about `lines` rows per frame
 * height, or one for each row of pixels if these are fewer.
 */
export const over = (frame: Frame, bottom: number, lines: number, value: Field): Field => {
  const perUnit = Math.min(lines, frame.height)
  const columns = Math.max(2, Math.round(perUnit * frame.aspect))
  const rows = Math.max(2, Math.round(perUnit * bottom))
  return make({ left: 0, top: 0, right: frame.aspect, bottom }, columns, rows, value)
}
