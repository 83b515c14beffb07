/** A double exposure: a head in profile filled with a landscape, in front of a paper-coloured sky with a sun. */
import { blend, hex, Ink, smooth } from "../Colour.ts"
import * as Outline from "../Outline.ts"
import * as Palette from "../Palette.ts"
import type { Choices } from "../Random.ts"
import type { Scene, Shader, Sketch } from "../Scene.ts"
import { ellipse, melted } from "../Shapes.ts"
import { mountains } from "./Mountains.ts"

/**
 * The outline of a head in profile: points from the back of the shoulder over the head down to the chest. The head is
 * about 1 unit high, and is centred at x = 0.
 */
const profile: ReadonlyArray<readonly [number, number]> = [
  [-1.25, 2.4],
  [-0.98, 1.78],
  [-0.72, 1.52],
  [-0.4, 1.36],
  [-0.29, 1.2],
  [-0.31, 1.0],
  [-0.42, 0.8],
  [-0.5, 0.55],
  [-0.47, 0.26],
  [-0.31, 0.05],
  [-0.05, -0.04],
  [0.18, 0.01],
  [0.32, 0.14],
  [0.37, 0.28],
  [0.375, 0.37],
  [0.355, 0.43],
  [0.4, 0.52],
  [0.475, 0.6],
  [0.47, 0.635],
  [0.4, 0.655],
  [0.39, 0.68],
  [0.42, 0.715],
  [0.415, 0.735],
  [0.385, 0.745],
  [0.41, 0.765],
  [0.405, 0.795],
  [0.365, 0.825],
  [0.375, 0.87],
  [0.36, 0.925],
  [0.29, 0.965],
  [0.16, 0.955],
  [0.05, 0.99],
  [0.02, 1.1],
  [0.03, 1.24],
  [0.12, 1.36],
  [0.36, 1.48],
  [0.62, 1.62],
  [0.78, 1.85],
  [0.9, 2.4]
]

export const portrait = (sketch: Sketch): Scene => {
  const { frame, palette, random } = sketch
  const short = Math.min(frame.aspect * 1.05, 1)
  const size = 0.46 * short
  const facing = random.chance(0.5) ? 1 : -1
  const centreX = frame.aspect / 2 - facing * 0.03 * short
  const top = 0.5 - 0.66 * size
  const inside = innerWorld(sketch)
  const face = Outline.make(profile, { left: -1.3, top: -0.15, right: 1, bottom: 2.4 })
  const hair = random.pick(hairstyles)
  const world = new Ink()
  const blur = frame.pixel / size
  const paper = blend(hex(0xf4ead8), palette.horizon, 0.35)
  const shade = blend(paper, palette.far, 0.45)
  const disc = { x: frame.aspect / 2 + facing * 0.1 * short, y: 0.42, radius: 0.33 * short }

  const subject: Shader = (ink, x, y, column) => {
    const u = ((x - centreX) / size) * facing
    const v = (y - top) / size
    const distance = melted(face(u, v), hair(u, v), 0.06)
    const cover = smooth(blur, -blur, distance)
    if (cover === 0) return
    world.clear()
    inside(world, x, y, column)
    world.over(palette.near, 0.25 + 0.3 * smooth(0.55, 1, y))
    world.light(palette.glow, 0.5 * smooth(-0.09, 0, distance) * smooth(-0.2, 0.35, u))
    ink.overRgb(world.r, world.g, world.b, cover)
  }

  const backdrop: Shader = (ink, x, y) => {
    const grain = sketch.noise.fractal(x * 3, y * 3, 3) + 0.3 * sketch.noise.at(x * 160, y * 160)
    ink.over(paper, 1)
    ink.over(shade, smooth(0.1, 1.1, y + 0.25 * grain))
    const dx = x - disc.x
    const dy = y - disc.y
    const away = Math.sqrt(dx * dx + dy * dy)
    ink.over(palette.accent, 0.85 * smooth(disc.radius + 0.003, disc.radius - 0.003, away) * (0.88 + 0.12 * grain))
    ink.light(palette.glow, 0.25 * Math.exp(-Math.max(0, away - disc.radius) * 8))
    ink.scale(1 + 0.03 * grain)
  }
  return { backdrop, subject }
}

type Hair = (u: number, v: number) => number

const hairstyles: Choices<Hair> = [
  (u, v) => melted(ellipse(u, v, -0.5, 0.02, 0.2, 0.19), ellipse(u, v, -0.1, 0.26, 0.45, 0.36), 0.05),
  (u, v) => ellipse(u, v, -0.17, 0.24, 0.6, 0.55) + 0.02 * Math.sin(u * 26) * Math.sin(v * 26),
  (u, v) => ellipse(u, v, -0.1, 0.24, 0.47, 0.36) + 0.012 * Math.sin(u * 40 + v * 12)
]

/**
 * Makes the landscape inside the head. Its time of day is chosen independently of the sky behind the head: sunset, dusk
 * or night.
 */
const innerWorld = (sketch: Sketch): Shader => {
  const palette = Palette.make(sketch.random.pick(["sunset", "dusk", "night"]), sketch.random, sketch.hints.tint)
  return mountains({ ...sketch, palette }).backdrop
}
