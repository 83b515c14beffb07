/** A bright clearing between tall trunks, with rays through the leaves, and fireflies at night and dusk. */
import { blend, type Colour, hex, type Ink, lerp, smooth } from "../Colour.ts"
import * as Field from "../Field.ts"
import { hashCell } from "../Random.ts"
import { perColumn, type Scene, type Sketch } from "../Scene.ts"

interface Stand {
  readonly colour: Colour
  readonly lit: Colour
  readonly leaves: Colour
  readonly ground: Float32Array
  /**
   * The density of the leaves at a point. Above 0 there are leaves. Above 0.1 the leaves hide everything behind them.
   */
  readonly foliage: Field.Field
  readonly spacing: number
  /** The trunks, one for each distance of `spacing`. The first one is to the left of the frame. */
  readonly trunks: ReadonlyArray<Trunk>
  readonly nearness: number
}

interface Trunk {
  /** The x coordinate of the trunk's middle, or `Infinity` if there is a gap instead of the trunk. */
  readonly middle: number
  readonly girth: number
  readonly lean: number
  /** A coordinate in the noise, different for each trunk of a stand. The noise there shapes the bends of the trunk. */
  readonly bends: number
}

const moss = hex(0x2f5d3a)
const leafGreen = hex(0x8fae4a)

export const forest = (sketch: Sketch): Scene => {
  const { frame, noise, palette, random, hints } = sketch
  const dark = palette.mood === "night" || palette.mood === "dusk"
  const autumn = hints.mentions("autumn", "fall", "maple") || (palette.mood === "sunset" && random.chance(0.5))
  const leaf = autumn
    ? blend(palette.accent, hex(0xd9662b), 0.6)
    : dark
      ? blend(moss, palette.far, 0.5)
      : blend(leafGreen, palette.glow, 0.25)
  const clearing = { x: frame.aspect * random.between(0.35, 0.65), y: random.between(0.36, 0.5) }
  const stands = [0, 1, 2, 3, 4].map((index) => makeStand(sketch, index / 4, leaf))
  const foliage = new Float64Array(stands.length)
  const haze = blend(palette.horizon, leaf, 0.25)
  const depths = blend(blend(palette.zenith, moss, 0.6), palette.near, 0.35)

  const dapple = Field.over(frame, 1, 160, (x, y) => noise.fractal(x * 9, y * 9, 3))

  const paintLight = (ink: Ink, x: number, y: number) => {
    const dx = (x - clearing.x) / Math.max(frame.aspect, 0.8)
    const dy = y - clearing.y
    const away = Math.sqrt(dx * dx + 0.6 * dy * dy)
    ink.over(depths, 1)
    ink.over(haze, Math.exp(-away * away * 7))
    ink.light(palette.sun, 0.75 * Math.exp(-away * away * 38))
    ink.scale(1 + 0.16 * dapple(x, y))
  }

  const rays = Field.over(frame, 1, 320, (x, y) => {
    const dx = x - clearing.x + 0.16
    const dy = y + 0.25
    const angle = Math.atan2(dx, dy)
    return (
      smooth(-0.05, 0.7, noise.at(angle * 11, 3) + 0.4 * noise.at(angle * 31, 9)) *
      smooth(0.95, 0.25, y) *
      Math.exp(-Math.abs(x - clearing.x) * 1.8)
    )
  })

  return {
    backdrop: (ink, x, y, column) => {
      const first = firstVisible(stands, foliage, x, y, column)
      if (first < 1) paintLight(ink, x, y)
      for (let i = Math.max(0, first); i < stands.length; i++) {
        const stand = stands[i]!
        const ground = stand.ground[column]!
        if (y < ground) {
          paintLeaves(ink, sketch, stand, foliage[i]!, x, y)
          paintTrunks(ink, sketch, stand, x, y, clearing.x)
        }
        paintGround(ink, stand, haze, y, ground)
      }
      ink.light(palette.glow, (dark ? 0.28 : 0.36) * rays(x, y))
      if (dark) fireflies(ink, sketch, x, y)
    }
  }
}

/**
 * Returns the index of the furthest stand of trees that can be seen at a point, or -1 if the light behind all stands
 * can be seen. Also stores the density of the leaves of each stand that can be seen.
 */
const firstVisible = (stands: ReadonlyArray<Stand>, foliage: Float64Array, x: number, y: number, column: number) => {
  for (let i = stands.length - 1; i >= 0; i--) {
    const stand = stands[i]!
    const overGround = y - stand.ground[column]!
    foliage[i] = overGround > 0 ? 0 : stand.foliage(x, y)
    if (overGround > 0.006 || foliage[i]! > 0.1) return i
  }
  return -1
}

const makeStand = ({ frame, noise, octaves, palette, random }: Sketch, nearness: number, leaf: Colour): Stand => {
  const shift = random.between(0, 100)
  const leafSize = lerp(7, 3.2, nearness)
  const spacing = lerp(0.04, 0.34, nearness ** 1.5)
  const colour = blend(
    blend(palette.horizon, leaf, 0.4),
    blend(palette.near, hex(0x10140f), 0.45),
    0.22 + 0.78 * nearness ** 0.8
  )
  return {
    colour,
    lit: blend(colour, palette.glow, lerp(0.45, 0.35, nearness)),
    leaves: blend(leaf, colour, lerp(0.25, 0.72, nearness)),
    ground: perColumn(frame, (x) => {
      const bank = 0.05 * noise.at(x * 1.7 + shift, nearness * 9)
      return lerp(0.64, 0.95, nearness ** 1.4) + bank + 0.03 * noise.fractal(x * 26 + shift, 5, octaves)
    }),
    foliage: Field.over(frame, 0.8, 320, (x, y) => {
      const reach = lerp(0.46, 0.2, nearness) + Math.abs(x / frame.aspect - 0.5) * 0.3
      const thickness = (reach - y) * 2.1 - 0.35
      if (thickness < -0.8) return -1
      return noise.fractal(x * leafSize + nearness * 40, y * leafSize, octaves + 1) + thickness
    }),
    spacing,
    trunks: Array.from({ length: Math.ceil(frame.aspect / spacing) + 2 }, (_, index) => ({
      middle: (random.chance(0.12) ? Infinity : index - 1 + random.between(0.2, 0.8)) * spacing,
      girth: lerp(0.0045, 0.036, nearness ** 1.4) * random.between(0.5, 1.4),
      lean: random.between(-0.06, 0.06),
      bends: index * 7.1
    })),
    nearness
  }
}

const paintTrunks = (ink: Ink, { frame, noise }: Sketch, stand: Stand, x: number, y: number, lightX: number) => {
  const cell = Math.floor(x / stand.spacing) + 1
  const widening = 0.72 + 0.3 * y + 0.9 * smooth(0.75, 1, y) ** 2
  for (let i = Math.max(0, cell - 1); i <= Math.min(cell + 1, stand.trunks.length - 1); i++) {
    const { bends, girth, lean, middle } = stand.trunks[i]!
    const upright = x - middle - (y - 0.5) * lean
    if (Math.abs(upright) > girth * (widening + 1) + frame.pixel) continue
    const across = (upright / girth - 0.7 * noise.at(y * 3, bends)) / widening
    const soft = frame.pixel / girth
    const cover = smooth(1 + soft, 1 - soft, Math.abs(across))
    if (cover === 0) continue
    ink.over(stand.colour, cover)
    const side = lightX > middle ? across : -across
    const bark =
      stand.nearness < 0.4
        ? 0
        : noise.at(across * 3 + bends, (y * 16) / (0.4 + stand.nearness)) + 0.6 * noise.at(across * 7, y * 50)
    ink.over(stand.lit, cover * smooth(0.15, 1.1, side + 0.3 * bark) * 0.9)
    ink.scale(1 + cover * 0.14 * bark * stand.nearness)
  }
}

const paintGround = (ink: Ink, stand: Stand, haze: Colour, y: number, ground: number) => {
  ink.over(stand.colour, smooth(ground - 0.006, ground + 0.006, y))
  ink.over(stand.leaves, 0.45 * smooth(ground - 0.005, ground + 0.004, y) * smooth(ground + 0.07, ground, y))
  ink.over(haze, 0.3 * (1 - stand.nearness) * smooth(0.22, 0, Math.abs(y - ground)))
}

const paintLeaves = (ink: Ink, { noise }: Sketch, stand: Stand, dense: number, x: number, y: number) => {
  const cover = smooth(0, 0.1, dense)
  if (cover === 0) return
  const scale = 4 * lerp(7, 3.2, stand.nearness)
  const dapple = noise.fractal(x * scale + 9, y * scale, 2)
  ink.over(stand.colour, cover)
  ink.over(stand.leaves, cover * smooth(-0.25, 0.35, dapple - 0.9 * smooth(0.1, 0.6, dense) + 0.35))
}

const spark = hex(0xffe9a0)

const fireflies = (ink: Ink, { frame }: Sketch, x: number, y: number) => {
  const scale = 9
  const cellX = Math.floor(x * scale)
  const cellY = Math.floor(y * scale)
  if (y < 0.35 || hashCell(cellX, cellY, 4) < 0.45) return
  const dx = x * scale - cellX - 0.3 - 0.4 * hashCell(cellX, cellY, 5)
  const dy = y * scale - cellY - 0.3 - 0.4 * hashCell(cellX, cellY, 6)
  const away = Math.sqrt(dx * dx + dy * dy)
  ink.light(spark, 0.55 * Math.exp(-away * 13) + smooth(0.035 + frame.pixel * scale, 0.015, away))
}
