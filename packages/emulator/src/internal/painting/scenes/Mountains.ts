/**
 * Paints mountain ranges, paler with distance, with mist in the valleys. If the prompt mentions snow, northern lights
 * or a lake, the image has them. Without a mention, the furthest ranges have a little snow, northern lights can appear
 * at night, and a lake by chance.
 */
import { blend, clamp, type Colour, hex, type Ink, lerp, smooth } from "../Colour.ts"
import { hashCell } from "../Random.ts"
import { perColumn, type Scene, type Shader, type Sketch } from "../Scene.ts"
import * as Sky from "../Sky.ts"
import * as Trees from "../Trees.ts"
import { aurora } from "./Aurora.ts"

interface Range {
  readonly ridge: Float32Array
  readonly colour: Colour
  readonly lit: Colour
  /**
   * How far the snow reaches down from the ridge (`snow`), and the colours of snow in shadow (`shade`) and in light
   * (`sunlit`).
   */
  readonly snow: number
  readonly shade: Colour
  readonly sunlit: Colour
  readonly mist: number
  readonly haze: Colour
  readonly roughness: number
}

const white = hex(0xf7fafd)

export const mountains = (sketch: Sketch): Scene => {
  const { frame, palette, random, hints } = sketch
  const snowy = hints.mentions("snow", "snowy", "winter", "ice", "alps", "alpine", "glacier", "arctic", "fuji")
  const lakeside = hints.mentions("lake", "reflection", "water", "fjord") || random.chance(0.35)
  const shore = lakeside ? random.between(0.68, 0.74) : 1
  const side = random.chance(0.5) ? 1 : -1
  const sun = {
    x: frame.aspect * (0.5 + side * random.between(0.08, 0.26)),
    y: random.between(0.16, 0.3),
    radius: random.between(0.03, 0.05)
  }
  const sky = Sky.make(sketch, {
    horizon: 0.62,
    sun,
    clouds: palette.mood === "storm" ? 0.9 : random.between(0.2, 0.5)
  })
  const ranges = makeRanges(sketch, { snowy, shore, peakX: frame.aspect * (0.5 - side * random.between(0.05, 0.22)) })
  const northern = hints.mentions("aurora", "northern") || (palette.mood === "night" && (snowy || random.chance(0.35)))
  const lights = northern ? aurora(sketch, 0.62) : undefined
  const trees = Trees.make(sketch, random.between(0.02, 0.03), random.between(0.12, 0.18))
  const firs = perColumn(
    frame,
    (x) => 1.02 - 0.3 * Math.abs(x / frame.aspect - 0.5) ** 1.5 + 0.04 * sketch.noise.at(x * 2, 77)
  )

  const land: Shader = (ink, x, y, column) => {
    const within = clamp(column, 0, frame.width - 1)
    const nearest = ranges.findLastIndex((range) => y - range.ridge[within]! > frame.pixel)
    if (nearest < 0) {
      sky.paint(ink, x, y)
      lights?.(ink, x, y, within)
    }
    for (let i = Math.max(0, nearest); i < ranges.length; i++) {
      const range = ranges[i]!
      paintRange(ink, sketch, range, x, y, y - range.ridge[within]!, sun.x)
    }
  }

  return {
    backdrop: (ink, x, y, column) => {
      if (y < shore) land(ink, x, y, column)
      else paintLake(ink, sketch, land, shore, x, y)
      if (y > 0.65) ink.over(palette.near, 0.97 * trees(x, y, firs[column]!))
      if (snowy) snowfall(ink, sketch, x, y)
    }
  }
}

const makeRanges = (
  { frame, noise, octaves, palette, random }: Sketch,
  options: { readonly snowy: boolean; readonly shore: number; readonly peakX: number }
): ReadonlyArray<Range> => {
  const count = 5
  return Array.from({ length: count }, (_, index) => {
    const nearness = index / (count - 1)
    const base = lerp(0.52, Math.min(0.86, options.shore - 0.02), nearness ** 0.9)
    const height = lerp(0.2, 0.12, nearness)
    const frequency = lerp(1.5, 2.1, nearness)
    const shift = random.between(0, 100)
    const peak = index === 0 ? 0.2 : index === 1 ? 0.06 : 0
    const ridge = perColumn(frame, (x) => {
      const away = Math.abs(x - options.peakX)
      const rise = peak * Math.exp(-away * (index === 0 ? 4.2 : 3))
      return base - rise - height * (noise.ridged(x * frequency + shift, index * 9.7, octaves + 2) - 0.42) * 1.5
    })
    const colour = blend(
      blend(palette.far, palette.horizon, 0.35 * (1 - nearness)),
      palette.near,
      nearness ** 1.15 * 0.92
    )
    return {
      ridge,
      colour,
      lit: blend(colour, palette.glow, lerp(0.5, 0.16, nearness)),
      snow: clamp((options.snowy ? 0.24 : 0.1) - (options.snowy ? 0.07 : 0.06) * index, 0, 1),
      shade: blend(blend(white, palette.zenith, 0.45), colour, 0.35),
      sunlit: blend(palette.mood === "night" ? blend(white, palette.glow, 0.5) : white, palette.glow, 0.3),
      mist: lerp(0.7, 0.35, nearness),
      haze: blend(palette.horizon, palette.far, lerp(0.6, 0.8, nearness)),
      roughness: lerp(7, 4, nearness)
    }
  })
}

const paintRange = (
  ink: Ink,
  { frame, noise, octaves }: Sketch,
  range: Range,
  x: number,
  y: number,
  depth: number,
  sunX: number
) => {
  if (depth < -frame.pixel) return
  const cover = smooth(-frame.pixel, frame.pixel, depth)
  const toSun = sunX > x ? 0.05 : -0.05
  const u = x * range.roughness
  const v = y * range.roughness * 0.8 - depth * 2
  const bend = 0.25 * noise.at(u * 2, v * 2)
  const detail = Math.max(2, octaves - 1)
  const rock = noise.ridged(u + bend, v, detail)
  const towards = noise.ridged(u + toSun + bend, v + 0.02, detail)
  const light = clamp(0.48 + (rock - towards) * 2.6)
  ink.over(range.colour, cover)
  ink.over(range.lit, cover * light * smooth(0.4, 0, depth))
  const snowline = range.snow * (0.6 + 2.2 * (rock - 0.47))
  const snow = range.snow === 0 ? 0 : smooth(snowline + 0.012, snowline - 0.02, depth)
  ink.over(range.shade, cover * snow * 0.9)
  ink.over(range.sunlit, cover * snow * 0.95 * smooth(0.3, 0.62, light))
  ink.over(range.haze, cover * range.mist * smooth(0.03, 0.24, depth + 0.06 * noise.at(x * 3, y * 9)))
}

const paintLake = (ink: Ink, { frame, noise, palette }: Sketch, land: Shader, shore: number, x: number, y: number) => {
  const below = (y - shore) / (1 - shore)
  const depth = 1 / (below + 0.08)
  const ripple =
    noise.at((x - frame.aspect / 2) * depth * 4 + 30, depth * 9) + 0.5 * noise.at(x * depth * 11, depth * 21)
  const seenX = x + ripple * 0.004
  land(
    ink,
    seenX,
    shore - (y - shore) * 1.25 - Math.abs(ripple) * 0.012 * (0.3 + below),
    Math.floor(seenX / frame.pixel)
  )
  ink.over(palette.near, 0.22 + 0.3 * below)
  ink.overRamp(palette.sky, 0.9, 0.16 * smooth(0.25, 0.8, ripple) + 0.5 * smooth(0.03, 0, below))
}

/**
 * Paints snowflakes in three sizes. The largest ones are the most transparent, because they are near and out of focus.
 */
const snowfall = (ink: Ink, { frame }: Sketch, x: number, y: number) => {
  for (let layer = 0; layer < 3; layer++) {
    const scale = [46, 26, 12][layer]!
    const cellX = Math.floor(x * scale)
    const cellY = Math.floor(y * scale)
    if (hashCell(cellX, cellY, layer) < 0.62) continue
    const dx = x * scale - cellX - 0.2 - 0.6 * hashCell(cellX, cellY, layer + 10)
    const dy = y * scale - cellY - 0.2 - 0.6 * hashCell(cellX, cellY, layer + 20)
    const radius = Math.max(0.06 + 0.07 * hashCell(cellX, cellY, layer + 30), frame.pixel * scale)
    ink.over(white, [0.55, 0.6, 0.4][layer]! * smooth(radius, radius * 0.3, Math.sqrt(dx * dx + dy * dy)))
  }
}
