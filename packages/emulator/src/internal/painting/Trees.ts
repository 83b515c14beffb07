/** A row of conifers along the ground, as silhouettes. */
import { type Noise } from "./Noise.ts"
import { hashCell } from "./Random.ts"
import { smooth } from "./Colour.ts"

export interface TreeRow {
  /** Mean distance between trees and the height of the tallest, in places of the frame. */
  readonly spacing: number
  readonly height: number
  readonly seed: number
  readonly pixel: number
}

/** How much of the place (x, y) the row covers, when the ground there is at `ground`. */
export const coverage = (row: TreeRow, noise: Noise, x: number, y: number, ground: number): number => {
  if (y >= ground + row.height * 0.04) return 1
  if (y < ground - row.height * 1.05) return 0
  const cell = Math.floor(x / row.spacing)
  let covered = smooth(ground - row.pixel, ground + row.pixel, y)
  for (let i = cell - 2; i <= cell + 2; i++) covered = Math.max(covered, tree(row, noise, i, x, y, ground))
  return covered
}

const tree = (row: TreeRow, noise: Noise, cell: number, x: number, y: number, ground: number): number => {
  const height = row.height * (0.4 + 0.6 * hashCell(cell, 1, row.seed))
  const fromTip = (y - ground) / height + 1
  if (fromTip < 0) return 0
  const middle = (cell + 0.15 + 0.7 * hashCell(cell, 2, row.seed)) * row.spacing
  const away = Math.abs(x - middle)
  const widest = height * (0.16 + 0.07 * hashCell(cell, 3, row.seed))
  if (away > widest * 1.3) return 0
  const tiers = fromTip * (7 + 4 * hashCell(cell, 4, row.seed)) + 0.6 * noise.at(x / widest, cell)
  const sag = tiers - Math.floor(tiers)
  const reach =
    widest * (0.04 + 0.96 * fromTip) * (0.5 + 0.5 * sag + 0.28 * noise.at((x * 9) / widest, (y * 7) / widest))
  return smooth(reach + row.pixel, reach - row.pixel, away)
}
