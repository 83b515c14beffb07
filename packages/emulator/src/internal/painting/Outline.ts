/**
 * A closed smooth curve through points. It is stored as a field of signed distances, which is fast to read at every
 * pixel.
 */
import { clamp } from "./Colour.ts"
import * as Field from "./Field.ts"

type Point = readonly [x: number, y: number]

const columns = 240
const rows = 280

/**
 * Makes the field of the signed distance to the curve, negative inside. The distance is interpolated, so it is
 * approximate.
 */
export const make = (points: ReadonlyArray<Point>, box: Field.Box): Field.Field => {
  const curve = rounded(points)
  return Field.make(box, columns, rows, (x, y) => toCurve(curve, x, y))
}

/** Returns a Catmull-Rom curve through the points, as a flat list of coordinates. */
const rounded = (points: ReadonlyArray<Point>): Float64Array => {
  const pieces = 3
  const curve = new Float64Array(points.length * pieces * 2)
  const at = (index: number): Point => points[(index + points.length) % points.length]!
  for (let i = 0; i < points.length; i++) {
    for (let piece = 0; piece < pieces; piece++) {
      const t = piece / pieces
      for (const axis of [0, 1] as const) {
        const [a, b, c, d] = [at(i - 1)[axis], at(i)[axis], at(i + 1)[axis], at(i + 2)[axis]]
        const bend = (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t * t * t
        curve[2 * (i * pieces + piece) + axis] = 0.5 * (2 * b + (c - a) * t + bend)
      }
    }
  }
  return curve
}

const toCurve = (curve: Float64Array, x: number, y: number): number => {
  let nearest = Infinity
  let inside = false
  let fromX = curve[curve.length - 2]!
  let fromY = curve[curve.length - 1]!
  for (let i = 0; i < curve.length; i += 2) {
    const toX = curve[i]!
    const toY = curve[i + 1]!
    const dx = toX - fromX
    const dy = toY - fromY
    const along = clamp(((x - fromX) * dx + (y - fromY) * dy) / (dx * dx + dy * dy))
    const offX = x - fromX - along * dx
    const offY = y - fromY - along * dy
    nearest = Math.min(nearest, offX * offX + offY * offY)
    if (fromY > y !== toY > y && x < fromX + ((y - fromY) / dy) * dx) inside = !inside
    fromX = toX
    fromY = toY
  }
  return inside ? -Math.sqrt(nearest) : Math.sqrt(nearest)
}
