/** The outline of a row of conifers along the ground, which is painted as a silhouette. */
import { smooth } from "./Colour.ts"
import type { Sketch } from "./Scene.ts"

interface Tree {
  readonly middle: number
  readonly height: number
  /** About half the width of the tree at its foot. */
  readonly widest: number
  /** The number of layers of branches. */
  readonly tiers: number
}

/**
 * Returns how much of the point (x, y) the row of trees and the ground cover, from 0 to 1. `ground` is the y coordinate
 * of the ground at `x`.
 */
export type Trees = (x: number, y: number, ground: number) => number

/**
 * Makes a row of trees. `spacing` is the mean distance between neighbouring trees, and `tallest` the greatest height
 * that a tree can have, both in the frame's coordinates.
 */
export const make = ({ frame, noise, random }: Sketch, spacing: number, tallest: number): Trees => {
  const trees = Array.from({ length: Math.ceil(frame.aspect / spacing) + 4 }, (_, index): Tree => {
    const height = tallest * random.between(0.4, 1)
    return {
      middle: (index - 2 + random.between(0.15, 0.85)) * spacing,
      height,
      widest: height * random.between(0.16, 0.23),
      tiers: random.between(7, 11)
    }
  })

  const covers = ({ height, middle, tiers, widest }: Tree, x: number, y: number, ground: number): number => {
    const fromTip = (y - ground) / height + 1
    const away = Math.abs(x - middle)
    if (fromTip < 0 || away > widest * 1.3) return 0
    const whorl = fromTip * tiers + 0.6 * noise.at(x / widest, middle * 40)
    const sag = whorl - Math.floor(whorl)
    const ragged = 0.28 * noise.at((x * 9) / widest, (y * 7) / widest)
    const reach = widest * (0.04 + 0.96 * fromTip) * (0.5 + 0.5 * sag + ragged)
    return smooth(reach + frame.pixel, reach - frame.pixel, away)
  }

  return (x, y, ground) => {
    if (y >= ground + frame.pixel) return 1
    if (y < ground - tallest) return 0
    const cell = Math.floor(x / spacing) + 2
    let covered = smooth(ground - frame.pixel, ground + frame.pixel, y)
    for (let i = cell - 2; i <= cell + 2; i++) covered = Math.max(covered, covers(trees[i]!, x, y, ground))
    return covered
  }
}
