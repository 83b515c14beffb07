/**
 * Paints the caption in the lower right corner of every painted image. The caption has the word `emulated`, so that
 * nobody takes the image for one of the real service. It also has words of the prompt, if they fit, because few images
 * show what their prompt says.
 */
import { hex, type Ink, smooth } from "./Colour.ts"
import { type Glyph, glyphsOf, type Stroke } from "./Glyphs.ts"
import type { Frame, Shader } from "./Scene.ts"

const gap = 0.48
const wordGap = 1.1
const padding = { x: 0.95, y: 0.62, top: 1.55 }
const plateHeight = padding.top + 2 * padding.y

/** A glyph with the horizontal positions at which it starts and ends in the line. */
interface Placed {
  readonly glyph: Glyph
  readonly start: number
  readonly end: number
}

/** A line of text: its glyphs with their positions, which begin at 0. */
interface Line {
  readonly placed: ReadonlyArray<Placed>
  readonly width: number
}

/** Places the glyphs of the words in a line. Spaces are wide, because the strokes are thin. */
const layOut = (words: ReadonlyArray<string>): Line => {
  const placed: Array<Placed> = []
  let at = 0
  for (const [index, word] of words.entries()) {
    if (index > 0) at += wordGap
    for (const [nth, glyph] of glyphsOf(word).entries()) {
      if (nth > 0) at += gap
      placed.push({ glyph, start: at, end: at + glyph.width })
      at += glyph.width
    }
  }
  return { placed, width: at }
}

const mark = "emulated"
const mostWords = 6

/**
 * Returns the caption, such as `emulated: a cute baby sea otter`, with words of the prompt: as many of the
 * first six that `Glyphs.ts` can draw as fit.
 */
const lineOf = (prompt: string, widest: number): Line => {
  const words = prompt
    .slice(0, 200)
    .split(/\s+/)
    .filter((word) => glyphsOf(word).length > 0)
  for (let count = Math.min(words.length, mostWords); count > 0; count--) {
    const rest = count < words.length ? "…" : ""
    const line = layOut([`${mark}:`, ...words.slice(0, count - 1), `${words[count - 1] ?? ""}${rest}`])
    if (line.width <= widest) return line
  }
  return layOut([mark])
}

const plate = hex(0x0c1018)
const paper = hex(0xffffff)

export interface Label {
  /** The box of the dark plate behind the text, in the frame's coordinates. */
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
  readonly paint: Shader
}

export const make = (frame: Frame, prompt: string): Label => {
  const short = Math.min(frame.aspect, 1)
  const margin = 0.022 * short
  const wished = Math.max(0.0135 * short, 6 * frame.pixel)
  const line = lineOf(prompt, (frame.aspect - 2 * margin) / wished - 2 * padding.x)
  const plateWidth = line.width + 2 * padding.x
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
      ink.over(plate, 0.5 * smooth(blur / 2, -blur / 2, toPlate(u, v, plateWidth)))
      const coverage = smooth(
        stroke + blur / 2,
        stroke - blur / 2,
        toLine(line, u - padding.x, v - padding.y - padding.top)
      )
      ink.over(paper, 0.94 * coverage)
    }
  }
}

const toPlate = (u: number, v: number, plateWidth: number): number => {
  const radius = 0.8
  const dx = Math.max(Math.abs(u - plateWidth / 2) - plateWidth / 2 + radius, 0)
  const dy = Math.max(Math.abs(v - plateHeight / 2) - plateHeight / 2 + radius, 0)
  return Math.hypot(dx, dy) - radius
}

/**
 * Returns the distance from a point to the middle of the nearest stroke. Glyphs that are at least half a gap to the
 * left or right are skipped. Without a glyph nearby, the distance is `Infinity`.
 */
const toLine = ({ placed }: Line, u: number, v: number): number => {
  let nearest = Infinity
  for (const { end, glyph, start } of placed) {
    if (u <= start - gap / 2 || u >= end + gap / 2) continue
    for (const stroke of glyph.strokes) nearest = Math.min(nearest, toStroke(stroke, u - start, v))
  }
  return nearest
}

const toStroke = (stroke: Stroke, x: number, y: number): number => {
  if (stroke.kind === "line") {
    const [fromX, fromY] = stroke.from
    const dx = stroke.to[0] - fromX
    const dy = stroke.to[1] - fromY
    const square = dx * dx + dy * dy
    const along = square === 0 ? 0 : Math.min(1, Math.max(0, ((x - fromX) * dx + (y - fromY) * dy) / square))
    return Math.hypot(x - fromX - along * dx, y - fromY - along * dy)
  }
  const dx = x - stroke.centre[0]
  const dy = y - stroke.centre[1]
  const turn = Math.atan2(dy, dx) / (2 * Math.PI) - stroke.start
  if (turn - Math.floor(turn) <= stroke.end - stroke.start) return Math.abs(Math.hypot(dx, dy) - stroke.radius)
  return Math.min(toArcEnd(stroke.radius, stroke.start, dx, dy), toArcEnd(stroke.radius, stroke.end, dx, dy))
}

const toArcEnd = (radius: number, turn: number, dx: number, dy: number): number =>
  Math.hypot(dx - radius * Math.cos(turn * 2 * Math.PI), dy - radius * Math.sin(turn * 2 * Math.PI))
