/**
 * Open water under a low sun or moon, which is reflected on the waves as a path towards the viewer. If the prompt
 * mentions an otter, the image has one.
 */
import { clamp, Ink, lerp, smooth } from "../Colour.ts"
import type { Scene, Shader, Sketch } from "../Scene.ts"
import { ellipse } from "../Shapes.ts"
import * as Sky from "../Sky.ts"
import { otter } from "./Otter.ts"

export const sea = (sketch: Sketch): Scene => {
  const { frame, noise, octaves, palette, random, hints } = sketch
  const withOtter = hints.mentions("otter")
  const horizon = random.between(0.42, 0.54)
  const sky = Sky.make(sketch, {
    horizon,
    sun: {
      x: frame.aspect * (withOtter ? random.between(0.76, 0.86) : random.between(0.3, 0.7)),
      y: horizon - random.between(0.02, 0.2),
      radius: random.between(0.035, 0.06)
    },
    clouds: palette.mood === "storm" ? 0.85 : random.between(0.3, 0.65)
  })
  const swell = random.between(0, 50)
  const mirrored = new Ink()

  const paintWater: Shader = (ink, x, y) => {
    const below = (y - horizon) / (1 - horizon)
    const depth = 1 / (below + 0.035)
    const u = (x - frame.aspect / 2) * depth * 1.5 + swell
    const v = depth * 5
    const slope = noise.fractal(u * 1.3, v * 1.7 + swell, octaves) * (0.25 + 0.75 * below)
    const chop = noise.at(u * 5, v * 6)
    mirrored.clear()
    sky.paint(mirrored, x + slope * 0.05, clamp(horizon - (y - horizon) * 0.8 - slope * 0.22, 0, horizon))
    ink.overRgb(mirrored.r, mirrored.g, mirrored.b, 1)
    ink.over(palette.near, clamp(0.2 + 0.42 * below + slope * 0.5 + chop * 0.06, 0.08, 0.85))
    const spread = lerp(0.03, 0.22, below) + 0.02
    const sideways = (x - sky.sunX) / spread
    const path = Math.exp(-sideways * sideways * 1.4)
    const sparkle = smooth(0.02, 0.4, -slope + chop * 0.22 + 0.24 * path)
    ink.light(palette.glow, path * sparkle * 0.75)
    ink.light(palette.sun, path * sparkle * sparkle * 0.6)
    ink.overRamp(palette.sky, 1, 0.5 * smooth(0.06, 0, below))
  }

  const backdrop: Shader = (ink, x, y, column) => (y < horizon ? sky.paint(ink, x, y) : paintWater(ink, x, y, column))
  return withOtter ? { backdrop: withRipples(backdrop, sketch), subject: swimmer(sketch) } : { backdrop }
}

const swimming = { below: 1.42, size: 0.19, y: 0.5 }

const swimmer = (sketch: Sketch): Shader => {
  const { aspect } = sketch.frame
  const short = Math.min(aspect, 1)
  const afloat = { x: aspect / 2, y: swimming.y, size: swimming.size * short, waterline: swimming.below, light: 0.6 }
  const alone = { x: aspect / 2, y: 0.485 - 0.2 * short, size: 0.22 * short, waterline: Infinity, light: 0.6 }
  return otter(sketch, sketch.background === "opaque" ? afloat : alone)
}

/** Adds rings on the water around the otter, and the otter's dark reflection. */
const withRipples = (backdrop: Shader, { frame, noise, palette }: Sketch): Shader => {
  const size = swimming.size * Math.min(frame.aspect, 1)
  return (ink, x, y, column) => {
    backdrop(ink, x, y, column)
    const u = (x - frame.aspect / 2) / size
    const v = (y - swimming.y) / size - swimming.below
    if (v < -0.9 || v > 0.9 || Math.abs(u) > 2.8) return
    const wave = 0.25 * noise.at(u * 2.2, v * 7)
    ink.over(palette.near, 0.6 * smooth(0.1, -0.5, ellipse(u + wave, v, 0, 0.1, 1.15, 0.75)))
    const radius = Math.sqrt(u * u + v * v * 11.6) + wave * 0.5
    const ring = smooth(0.6, 1, Math.cos(radius * 9)) * smooth(2.6, 1.2, radius) * smooth(0.75, 1.05, radius)
    ink.light(palette.glow, 0.4 * ring)
  }
}
