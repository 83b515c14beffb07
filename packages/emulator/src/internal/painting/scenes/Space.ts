/**
 * Deep space: folded clouds of gas, stars at three distances, and a planet, which may have a ring. On an opaque
 * background, the planet is left out if the prompt has the word `nebula`, `galaxy` or `star`, but not `planet`.
 */
import { blend, clamp, type Colour, hex, type Ink, lerp, type Ramp, ramp, smooth } from "../Colour.ts"
import * as Field from "../Field.ts"
import { type Choices, hashCell } from "../Random.ts"
import type { Scene, Shader, Sketch } from "../Scene.ts"

interface Hues {
  readonly gas: Ramp
  readonly ground: readonly [Colour, Colour, Colour]
  readonly air: Colour
  readonly starlight: Colour
}

const gases: Choices<ReadonlyArray<number>> = [
  [0x04050f, 0x10143a, 0x3d2273, 0xa63d8c, 0xff9a76, 0xfff0d0],
  [0x03060f, 0x081f38, 0x0f5066, 0x2fa39a, 0xa6e3c0, 0xfffbe0],
  [0x05040c, 0x1d1030, 0x5a1d4a, 0xc23b4e, 0xf7a35c, 0xfff2cc],
  [0x02040e, 0x0b1a48, 0x1f4aa0, 0x5b8fe0, 0xc3a6f0, 0xffeef8]
]

const mars = [0x8c4a3a, 0xd9935b, 0xf3d9b0] as const

const grounds: Choices<readonly [number, number, number]> = [
  mars,
  [0x2b4f7e, 0x6fa3c7, 0xe6eff2],
  [0x4b3a78, 0xa579b8, 0xf2c9c4],
  [0x2f6f62, 0x9cbf8a, 0xf0e6b8]
]

export const space = (sketch: Sketch): Scene => {
  const { noise, octaves, random, hints } = sketch
  const hues = chooseHues(sketch)
  const shift = random.between(0, 100)
  const tilt = random.between(-0.7, 0.7)
  const withPlanet =
    sketch.background === "transparent" || !hints.mentions("nebula", "galaxy", "star") || hints.mentions("planet")

  const foldsX = Field.over(sketch.frame, 1, 200, (x, y) => noise.fractal(x * 1.5 + shift, y * 1.5, 3))
  const foldsY = Field.over(sketch.frame, 1, 200, (x, y) => noise.fractal(x * 1.5 + shift + 31, y * 1.5 + 17, 3))

  const backdrop: Shader = (ink, x, y) => {
    const u = x * 1.5 + shift
    const v = y * 1.5
    const foldX = foldsX(x, y)
    const foldY = foldsY(x, y)
    const gas = noise.fractal(u + 1.7 * foldX, v + 1.7 * foldY, octaves)
    const band = (y - 0.5) * Math.cos(tilt) - (x - 0.5 * sketch.frame.aspect) * Math.sin(tilt) + 0.2 * foldX
    const density = 0.42 + 0.75 * gas + 0.38 * foldY + 0.42 * Math.exp(-band * band * 16) - 0.3
    ink.overRamp(hues.gas, clamp(density * 0.86), 1)
    ink.scale(0.72 + 0.5 * smooth(-0.5, 0.5, foldX + noise.ridged(u * 2 + foldX, v * 2, 2) - 0.4))
    for (const field of starFields) paintStars(ink, sketch, hues, field, x, y, density)
  }
  return withPlanet ? { backdrop, subject: planet(sketch, hues) } : { backdrop }
}

const chooseHues = ({ random, hints }: Sketch): Hues => {
  const tint = hints.tint
  const [low, middle, high] = hints.mentions("mars") ? mars : random.pick(grounds)
  const gas = random.pick(gases).map(hex)
  return {
    gas: ramp([hex(0x03040c), ...(tint === undefined ? gas : gas.map((colour) => blend(colour, tint, 0.18)))]),
    ground: [hex(low), hex(middle), hex(high)],
    air: blend(hex(middle), hex(0xbfe4ff), 0.55),
    starlight: hex(0xfff6ea)
  }
}

interface StarField {
  /**
   * `scale` is the number of cells per image height, `lonely` the share of cells without a star where there is no gas,
   * and `core` the radius of a star in cells.
   */
  readonly scale: number
  readonly lonely: number
  readonly core: number
  readonly spikes: boolean
  readonly seed: number
}

const starFields: ReadonlyArray<StarField> = [
  { scale: 95, lonely: 0.74, core: 0.09, spikes: false, seed: 40 },
  { scale: 34, lonely: 0.8, core: 0.06, spikes: false, seed: 50 },
  { scale: 7, lonely: 0.7, core: 0.016, spikes: true, seed: 60 }
]

const paintStars = (
  ink: Ink,
  { frame }: Sketch,
  hues: Hues,
  field: StarField,
  x: number,
  y: number,
  density: number
) => {
  const { core, lonely, scale, seed } = field
  const cellX = Math.floor(x * scale)
  const cellY = Math.floor(y * scale)
  const lot = hashCell(cellX, cellY, seed)
  if (lot < lonely - 0.3 * density) return
  const dx = x * scale - cellX - 0.15 - 0.7 * hashCell(cellX, cellY, seed + 1)
  const dy = y * scale - cellY - 0.15 - 0.7 * hashCell(cellX, cellY, seed + 2)
  const power = hashCell(cellX, cellY, seed + 3)
  const radius = Math.max(core, 0.7 * frame.pixel * scale)
  const square = dx * dx + dy * dy
  ink.light(hues.starlight, (core / radius) * (0.3 + 0.7 * power * power) * Math.exp(-square / (radius * radius)))
  if (!field.spikes) return
  const spikes = Math.exp(-Math.abs(dx) * 18 - Math.abs(dy) * 220) + Math.exp(-Math.abs(dy) * 18 - Math.abs(dx) * 220)
  ink.light(hues.air, (0.35 + 0.5 * power) * (spikes + 0.35 * Math.exp(-Math.sqrt(square) * 16)))
}

const planet = (sketch: Sketch, hues: Hues): Shader => {
  const { frame, random, hints } = sketch
  const alone = sketch.background === "transparent"
  const short = Math.min(frame.aspect, 1)
  const radius = short * (alone ? 0.205 : random.between(0.17, 0.25))
  const centreX = frame.aspect * (alone ? 0.5 : random.between(0.36, 0.64))
  const centreY = alone ? 0.5 : random.between(0.4, 0.6)
  const ringed = hints.mentions("saturn", "ring") || random.chance(0.65)
  const lean = random.between(-0.5, 0.5)
  const lightAngle = random.between(0.6, 2.4)
  const light = { x: -Math.cos(lightAngle) * 0.8, y: -Math.sin(lightAngle) * 0.55, z: 0.55 }
  const cos = Math.cos(lean)
  const sin = Math.sin(lean)

  return (ink, x, y) => {
    const dx = (x - centreX) / radius
    const dy = (y - centreY) / radius
    if (dx * dx + dy * dy > 5.8) return
    const u = dx * cos + dy * sin
    const v = dy * cos - dx * sin
    if (ringed && v < 0) paintRing(ink, sketch, hues, u, v, radius)
    paintGlobe(ink, sketch, hues, light, { dx, dy, u, v, pixel: frame.pixel / radius, ringed })
    if (ringed && v >= 0) paintRing(ink, sketch, hues, u, v, radius)
  }
}

interface OnGlobe {
  readonly dx: number
  readonly dy: number
  readonly u: number
  readonly v: number
  readonly pixel: number
  readonly ringed: boolean
}

const paintGlobe = (
  ink: Ink,
  { noise, octaves }: Sketch,
  hues: Hues,
  light: { readonly x: number; readonly y: number; readonly z: number },
  { dx, dy, pixel, ringed, u, v }: OnGlobe
) => {
  const square = dx * dx + dy * dy
  const away = Math.sqrt(square)
  const facing = (dx * light.x + dy * light.y) / Math.max(away, 0.01)
  ink.over(hues.air, 0.55 * Math.exp(-Math.max(0, away - 1) * 16) * smooth(-0.5, 1, facing) * smooth(1.35, 1, away))
  const cover = smooth(1 + pixel, 1 - pixel, away)
  if (cover === 0) return
  const z = Math.sqrt(Math.max(0, 1 - square))
  const longitude = u / (0.35 + z)
  const swirl = noise.fractal(longitude * 1.6 + 8, v * 3.4, octaves + 1)
  const belt =
    0.5 +
    0.5 * Math.sin(v * 11 + swirl * 3.2) * 0.8 +
    0.55 * noise.fractal(longitude * 2.4, v * 13 + swirl * 2, octaves)
  ink.over(hues.ground[1], cover)
  ink.over(hues.ground[0], cover * smooth(0.5, 0.05, belt))
  ink.over(hues.ground[2], cover * smooth(0.55, 1, belt))
  const day = smooth(-0.18, 0.85, dx * light.x + dy * light.y + z * light.z)
  const shade = ringed ? 1 - 0.45 * smooth(0.09, 0.02, Math.abs(v + 0.2 - 0.22 * u * u)) : 1
  ink.scale(1 - cover + cover * lerp(0.045, 1.12, day) * shade)
  ink.light(hues.air, cover * 0.75 * (1 - z) ** 2.4 * day)
}

const paintRing = (ink: Ink, { frame, noise }: Sketch, hues: Hues, u: number, v: number, radius: number) => {
  const distance = Math.sqrt(u * u + v * v * 13)
  const soft = (2 * frame.pixel) / radius
  const band = smooth(1.35 - soft, 1.35 + soft, distance) * smooth(2.25 + soft, 2.25 - soft, distance)
  if (band === 0) return
  const grooves = 0.62 + 0.5 * noise.at(distance * 16, 3) + 0.3 * noise.at(distance * 52, 9)
  const gap = 1 - 0.9 * smooth(0.045, 0.02, Math.abs(distance - 1.86))
  ink.over(blend3(hues, grooves), band * gap * clamp(grooves, 0.12, 0.92))
}

const blend3 = (hues: Hues, grooves: number): Colour => (grooves > 0.6 ? hues.ground[2] : hues.ground[1])
