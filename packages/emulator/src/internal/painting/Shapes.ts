/** Signed distances to simple shapes, negative inside a shape. Figures are built from them. */
import { clamp, smooth } from "./Colour.ts"

/**
 * Returns an approximate signed distance to an ellipse. It is exact on the outline and distorted away from it, which is
 * enough for soft edges.
 */
export const ellipse = (
  x: number,
  y: number,
  centreX: number,
  centreY: number,
  radiusX: number,
  radiusY: number
): number => {
  const dx = (x - centreX) / radiusX
  const dy = (y - centreY) / radiusY
  return (Math.sqrt(dx * dx + dy * dy) - 1) * Math.min(radiusX, radiusY)
}

export const segment = (x: number, y: number, x1: number, y1: number, x2: number, y2: number): number => {
  const dx = x2 - x1
  const dy = y2 - y1
  const along = clamp(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy))
  const toX = x - x1 - along * dx
  const toY = y - y1 - along * dy
  return Math.sqrt(toX * toX + toY * toY)
}

/**
 * Returns the signed distance to the union of two shapes, from the distances to each. At points where the two distances
 * differ by less than `reach`, the shapes are joined smoothly.
 */
export const melted = (a: number, b: number, reach: number): number => {
  const h = clamp(0.5 + (0.5 * (b - a)) / reach)
  return b + (a - b) * h - reach * h * (1 - h)
}

/**
 * Returns how much of a pixel a shape covers, from 0 to 1. `distance` is the signed distance to the shape, and `soft`
 * the width of its edge.
 */
export const coverage = (distance: number, soft: number): number => smooth(soft / 2, -soft / 2, distance)
