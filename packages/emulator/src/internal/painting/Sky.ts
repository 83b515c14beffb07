/** Paints a sky with a sun or moon, clouds lit by the sun or moon, and stars at night. */
import { clamp, type Ink, lerp, smooth } from "./Colour.ts"
import * as Field from "./Field.ts"
import { hashCell } from "./Random.ts"
import type { Sketch } from "./Scene.ts"

export interface Sky {
  readonly sunX: number
  /** Paints the sky at a point above the horizon. */
  readonly paint: (ink: Ink, x: number, y: number) => void
}

export interface SkyOptions {
  /** The y coordinate at which the sky ends. */
  readonly horizon: number
  readonly sun: { readonly x: number; readonly y: number; readonly radius: number }
  /** The amount of clouds: 0 is a clear sky, 1 is overcast. */
  readonly clouds: number
}

export const make = ({ frame, noise, octaves, palette, random }: Sketch, options: SkyOptions): Sky => {
  const { clouds, horizon, sun } = options
  const moonlit = palette.mood === "night"
  const starlight = moonlit ? 1 : palette.mood === "dusk" ? 0.5 : 0
  const drift = random.between(0, 100)
  const cover = lerp(0.3, -0.25, clouds)
  const starSeed = Math.floor(random.between(0, 1e9))

  const paintStars = (ink: Ink, x: number, y: number, strength: number) => {
    const scale = 70
    const cellX = Math.floor(x * scale)
    const cellY = Math.floor(y * scale)
    const brightness = hashCell(cellX, cellY, starSeed)
    if (brightness < 0.82) return
    const dx = x * scale - cellX - 0.15 - 0.7 * hashCell(cellX, cellY, starSeed + 1)
    const dy = y * scale - cellY - 0.15 - 0.7 * hashCell(cellX, cellY, starSeed + 2)
    const size = 0.045 + 0.09 * (brightness > 0.985 ? 1 : hashCell(cellX, cellY, starSeed + 3) ** 4)
    // A star that is smaller than a pixel is drawn about as large as a pixel, and dimmed in return.
    const seen = Math.max(size, frame.pixel * scale * 0.6)
    const power = ((brightness - 0.82) / 0.18) ** 2 * (size / seen)
    ink.light(
      palette.sun,
      strength * lerp(0.35 * (size / seen), 1, power) * Math.exp(-(dx * dx + dy * dy) / (seen * seen))
    )
  }

  const paintSun = (ink: Ink, distance: number) => {
    const reach = distance / 0.32
    ink.over(palette.glow, (moonlit ? 0.3 : 0.62) * Math.exp(-reach * 1.6))
    ink.light(palette.sun, (moonlit ? 0.35 : 0.55) * Math.exp(-distance / (sun.radius * 1.7)))
    ink.over(palette.sun, smooth(sun.radius + frame.pixel, sun.radius - frame.pixel, distance))
  }

  const thickness = (x: number, y: number, aside: number, above: number, detail: number) => {
    const depth = 1 / (clamp((horizon - y) / horizon) + 0.22)
    return noise.fractal((x - frame.aspect / 2) * depth * 0.9 + drift + aside, depth * 2.1 + above, detail) - cover
  }
  const vapour = Field.over(frame, horizon, 460, (x, y) => thickness(x, y, 0, 0, octaves + 1))
  const towardsSun = Field.over(frame, horizon, 230, (x, y) =>
    thickness(x, y, clamp((sun.x - x) * 0.5, -0.12, 0.12), 0.16, Math.max(2, octaves - 2))
  )

  const paintClouds = (ink: Ink, x: number, y: number, distance: number) => {
    const density = vapour(x, y)
    if (density <= -0.02) return
    const height = clamp((horizon - y) / horizon)
    const lit = clamp(0.5 + (density - towardsSun(x, y)) * 1.6 + 0.35 * Math.exp(-distance * 2.4))
    const body = smooth(-0.02, 0.34, density) * smooth(0, 0.09, height) * 0.88
    ink.overRamp(palette.sky, lerp(0.32, 0.12, height) + 0.25 * (1 - lit), body * (1 - lit))
    ink.over(palette.glow, body * lit * (moonlit ? 0.22 : 0.72))
    ink.light(palette.sun, body * lit * lit * (moonlit ? 0.1 : 0.45))
  }

  return {
    sunX: sun.x,
    paint: (ink, x, y) => {
      const brushed = 0.02 * noise.at(x * 2.2 + drift, y * 14)
      ink.overRamp(palette.sky, (y / horizon) * (0.88 + (0.12 * y) / horizon) + brushed, 1)
      if (starlight > 0) paintStars(ink, x, y, starlight * smooth(1, 0.45, y / horizon))
      const dx = x - sun.x
      const dy = y - sun.y
      const distance = Math.sqrt(dx * dx + dy * dy)
      paintSun(ink, distance)
      if (clouds > 0) paintClouds(ink, x, y, distance)
    }
  }
}
