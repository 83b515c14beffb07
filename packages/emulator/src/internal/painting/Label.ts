/**
 * The word `emulated` in the lower right corner of every picture, so that none is ever taken for the real service's.
 * Its letters are strokes of their own (lines and arcs), because a machine may have no fonts.
 */
import { hex, type Ink, smooth } from "./Colour.ts"
import type { Frame, Shader } from "./Scene.ts"

/** A stroke in units of the x-height, y down from the baseline at 0 (so the x-height is at -1). */
type Stroke =
  | { readonly kind: "line"; readonly from: readonly [number, number]; readonly to: readonly [number, number] }
  | {
      readonly kind: "arc"
      readonly centre: readonly [number, number]
      readonly radius: number
      /** In turns, clockwise from the right. */
      readonly start: number
      readonly end: number
    }

interface Letter {
  readonly width: number
  readonly strokes: ReadonlyArray<Stroke>
}

const line = (x1: number, y1: number, x2: number, y2: number): Stroke => ({
  kind: "line",
  from: [x1, y1],
  to: [x2, y2]
})
const arc = (x: number, y: number, radius: number, start: number, end: number): Stroke => ({
  kind: "arc",
  centre: [x, y],
  radius,
  start,
  end
})

const bowl = arc(0.5, -0.5, 0.5, 0, 1)
const letters = {
  e: { width: 1, strokes: [arc(0.5, -0.5, 0.5, 0.1, 1), line(0.02, -0.5, 1, -0.5)] },
  m: {
    width: 1.5,
    strokes: [
      line(0, -1, 0, 0),
      arc(0.375, -0.625, 0.375, 0.5, 1),
      line(0.75, -0.625, 0.75, 0),
      arc(1.125, -0.625, 0.375, 0.5, 1),
      line(1.5, -0.625, 1.5, 0)
    ]
  },
  u: { width: 0.86, strokes: [line(0, -1, 0, -0.43), arc(0.43, -0.43, 0.43, 0, 0.5), line(0.86, -1, 0.86, 0)] },
  l: { width: 0, strokes: [line(0, -1.55, 0, 0)] },
  a: { width: 1, strokes: [bowl, line(1, -1, 1, 0)] },
  t: { width: 0.6, strokes: [line(0.2, -1.4, 0.2, -0.3), arc(0.5, -0.3, 0.3, 0.25, 0.5), line(0, -1, 0.56, -1)] },
  d: { width: 1, strokes: [bowl, line(1, -1.55, 1, 0)] }
} satisfies { readonly [letter: string]: Letter }

const word: ReadonlyArray<Letter> = [
  letters.e,
  letters.m,
  letters.u,
  letters.l,
  letters.a,
  letters.t,
  letters.e,
  letters.d
]
const gap = 0.48
const wordWidth = word.reduce((width, letter) => width + letter.width, 0) + gap * (word.length - 1)
const padding = { x: 0.95, y: 0.62, top: 1.55 }
const plateWidth = wordWidth + 2 * padding.x
const plateHeight = padding.top + 2 * padding.y

const plate = hex(0x0c1018)
const paper = hex(0xffffff)

export interface Label {
  /** The plate's box in places of the frame. */
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
  readonly paint: Shader
}

export const make = (frame: Frame): Label => {
  const short = Math.min(frame.aspect, 1)
  const margin = 0.022 * short
  const wished = Math.max(0.0135 * short, 6 * frame.pixel)
  const unit = Math.min(wished, (frame.aspect - 2 * margin) / plateWidth, (1 - 2 * margin) / plateHeight)
  const right = frame.aspect - margin
  const bottom = 1 - margin
  const left = right - plateWidth * unit
  const top = bottom - plateHeight * unit
  const blur = frame.pixel / unit
  const stroke = Math.max(0.075, 0.62 * blur)
  return {
    left,
    top,
    right,
    bottom,
    paint: (ink: Ink, x: number, y: number) => {
      const u = (x - left) / unit
      const v = (y - top) / unit
      ink.over(plate, 0.5 * smooth(blur / 2, -blur / 2, toPlate(u, v)))
      const ink2 = smooth(stroke + blur / 2, stroke - blur / 2, toWord(u - padding.x, v - padding.y - padding.top))
      ink.over(paper, 0.94 * ink2)
    }
  }
}

const toPlate = (u: number, v: number): number => {
  const radius = 0.8
  const dx = Math.max(Math.abs(u - plateWidth / 2) - plateWidth / 2 + radius, 0)
  const dy = Math.max(Math.abs(v - plateHeight / 2) - plateHeight / 2 + radius, 0)
  return Math.hypot(dx, dy) - radius
}

/** Distance to the middle of the nearest stroke; letters further away than half the gap do not matter. */
const toWord = (u: number, v: number): number => {
  let nearest = Infinity
  let start = 0
  for (const letter of word) {
    if (u > start - gap / 2 && u < start + letter.width + gap / 2) {
      for (const stroke of letter.strokes) nearest = Math.min(nearest, toStroke(stroke, u - start, v))
    }
    start += letter.width + gap
  }
  return nearest
}

const toStroke = (stroke: Stroke, x: number, y: number): number => {
  if (stroke.kind === "line") {
    const [fromX, fromY] = stroke.from
    const dx = stroke.to[0] - fromX
    const dy = stroke.to[1] - fromY
    const along = Math.min(1, Math.max(0, ((x - fromX) * dx + (y - fromY) * dy) / (dx * dx + dy * dy)))
    return Math.hypot(x - fromX - along * dx, y - fromY - along * dy)
  }
  const dx = x - stroke.centre[0]
  const dy = y - stroke.centre[1]
  const turn = (Math.atan2(dy, dx) / (2 * Math.PI) + 1) % 1
  if (turn >= stroke.start && turn <= stroke.end) return Math.abs(Math.hypot(dx, dy) - stroke.radius)
  return Math.min(toArcEnd(stroke.radius, stroke.start, dx, dy), toArcEnd(stroke.radius, stroke.end, dx, dy))
}

const toArcEnd = (radius: number, turn: number, dx: number, dy: number): number =>
  Math.hypot(dx - radius * Math.cos(turn * 2 * Math.PI), dy - radius * Math.sin(turn * 2 * Math.PI))
