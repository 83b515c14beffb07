/** A skyline along a river: towers in haze, with windows lit at random, and their reflection in the water. */
import { blend, clamp, type Colour, hex, type Ink, lerp, smooth } from "../Colour.ts"
import { hashCell, type Random } from "../Random.ts"
import type { Frame, Scene, Shader, Sketch } from "../Scene.ts"
import * as Sky from "../Sky.ts"

interface Skyline {
  /** For each column of pixels: the y coordinate of the roof, and the number of the tower that the roof belongs to. */
  readonly roof: Float32Array
  readonly tower: Uint16Array
  readonly colour: Colour
  readonly foot: Colour
  /** The width and height of the cell around one window. */
  readonly window: readonly [number, number]
  readonly seed: number
}

const shoreline = 0.74
const warm = hex(0xffd48a)
const cool = hex(0xcfe8ff)

export const city = (sketch: Sketch): Scene => {
  const { frame, noise, palette, random } = sketch
  const sun = {
    x: frame.aspect * random.between(0.25, 0.75),
    y: random.between(0.2, 0.42),
    radius: random.between(0.06, 0.11)
  }
  const sky = Sky.make(sketch, { horizon: shoreline, sun, clouds: random.between(0.2, 0.55) })
  const lamplight = palette.mood === "day" || palette.mood === "dawn" ? 0.25 : palette.mood === "storm" ? 0.5 : 1
  const skylines = [0, 1, 2, 3].map((index) => makeSkyline(sketch, index / 3))

  const land: Shader = (ink, x, y, column) => {
    const within = clamp(column, 0, frame.width - 1)
    const nearest = skylines.findLastIndex(({ roof }) => y > roof[within]!)
    if (nearest < 0) sky.paint(ink, x, y)
    else paintTower(ink, frame, skylines[nearest]!, x, y, within, lamplight)
  }

  const water: Shader = (ink, x, y) => {
    const below = (y - shoreline) / (1 - shoreline)
    const depth = 1 / (below + 0.06)
    const ripple = noise.at(x * depth * 3.5, depth * 8 + 5) + 0.5 * noise.at(x * depth * 9, depth * 19)
    const seenX = x + ripple * 0.006 * (0.4 + below)
    const seenY = shoreline - (y - shoreline) * 1.7 - ripple * 0.05 * (0.15 + below)
    land(ink, seenX, Math.min(seenY, shoreline - 0.004), Math.floor(seenX / frame.pixel))
    ink.over(palette.near, 0.2 + 0.32 * below)
    ink.overRamp(palette.sky, 0.75, 0.2 * smooth(0.3, 0.9, ripple))
  }

  return {
    backdrop: (ink, x, y, column) => {
      if (y < shoreline) land(ink, x, y, column)
      else water(ink, x, y, column)
      ink.over(palette.near, 0.75 * smooth(0.007, 0.003, Math.abs(y - shoreline)))
      ink.light(palette.glow, 0.22 * lamplight * Math.exp(-((y - shoreline) ** 2) / 0.004))
    }
  }
}

const makeSkyline = ({ frame, palette, random }: Sketch, nearness: number): Skyline => {
  const roof = new Float32Array(frame.width).fill(shoreline)
  const tower = new Uint16Array(frame.width)
  const middle = frame.aspect * random.between(0.3, 0.7)
  let left = -random.between(0, 0.05)
  for (let id = 1; left < frame.aspect; id++) {
    const width = random.between(0.03, 0.075) * lerp(0.7, 1.35, nearness)
    const away = Math.abs(left + width / 2 - middle) / frame.aspect
    const tall = random.next() ** 1.7 * lerp(0.36, 0.2, nearness) * Math.exp(-away * away * 6)
    raise(frame, roof, tower, id, {
      left,
      width,
      height: lerp(0.17, 0.04, nearness) + tall,
      shape: random.next(),
      random
    })
    left += width + (random.chance(0.3) ? random.between(0, 0.02) : 0)
  }
  const colour = blend(blend(palette.far, palette.horizon, 0.25), palette.near, lerp(0.32, 0.96, nearness))
  return {
    roof,
    tower,
    colour,
    foot: blend(colour, palette.glow, lerp(0.5, 0.12, nearness)),
    window: [lerp(0.0055, 0.0105, nearness), lerp(0.0085, 0.0145, nearness)],
    seed: Math.floor(random.between(0, 1e9))
  }
}

interface Tower {
  readonly left: number
  readonly width: number
  readonly height: number
  /**
   * A random number that decides the shape of the roof: flat below 0.45, stepped below 0.72, tapering below 0.84, with
   * a mast above that.
   */
  readonly shape: number
  readonly random: Random
}

const raise = (
  frame: Frame,
  roof: Float32Array,
  tower: Uint16Array,
  id: number,
  { height, left, random, shape, width }: Tower
) => {
  const inset = random.between(0.15, 0.28)
  const crown = height * random.between(0.08, 0.2)
  const first = Math.max(0, Math.ceil(left / frame.pixel - 0.5))
  const last = Math.min(frame.width - 1, Math.floor((left + width) / frame.pixel - 0.5))
  for (let column = first; column <= last; column++) {
    const away = Math.abs(((column + 0.5) * frame.pixel - left) / width - 0.5)
    const stepped = away < 0.5 - inset ? crown : 0
    const tapering = crown * 1.6 * (1 - 2 * away)
    const mast = away * width < Math.max(0.0012, 0.6 * frame.pixel) ? crown * 2.4 : stepped
    roof[column] = shoreline - height - (shape < 0.45 ? 0 : shape < 0.72 ? stepped : shape < 0.84 ? tapering : mast)
    tower[column] = id
  }
}

const paintTower = (ink: Ink, frame: Frame, line: Skyline, x: number, y: number, column: number, lamplight: number) => {
  const id = line.tower[column]!
  const top = line.roof[column]!
  const down = (y - top) / (shoreline - top)
  ink.over(line.colour, 1)
  ink.over(line.foot, 0.85 * down * down)
  ink.scale(0.93 + 0.14 * hashCell(id, 3, line.seed))
  const [width, height] = line.window
  const cellX = Math.floor(x / width)
  const cellY = Math.floor(y / height)
  const habit = hashCell(id, 5, line.seed)
  const lit = hashCell(cellX, cellY, line.seed ^ id)
  if (lit > 0.2 + 0.4 * habit || y - top < height * 1.2) return
  const dx = Math.abs(x / width - cellX - 0.5)
  const dy = Math.abs(y / height - cellY - 0.5)
  const softX = frame.pixel / width / 2
  const softY = frame.pixel / height / 2
  const pane = smooth(0.3 + softX, 0.3 - softX, dx) * smooth(0.32 + softY, 0.32 - softY, dy)
  const strength = pane * lamplight * (0.35 + 0.65 * hashCell(cellX, cellY, line.seed + 7))
  ink.over(hashCell(cellX >> 2, cellY, line.seed + 9) < 0.8 ? warm : cool, strength * 0.92)
}
