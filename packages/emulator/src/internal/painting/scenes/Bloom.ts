/** A flower close up: rings of overlapping petals around a centre of seeds, in front of a blurred garden. */
import { blend, type Colour, hex, type Ink, lerp, type Ramp, ramp, smooth } from "../Colour.ts"
import * as Field from "../Field.ts"
import type { Noise } from "../Noise.ts"
import type { Choices, Random } from "../Random.ts"
import type { Scene, Shader, Sketch } from "../Scene.ts"

interface Petal {
  /** The cosine and sine of the petal's direction. */
  readonly cos: number
  readonly sin: number
  readonly reach: number
  readonly breadth: number
  readonly hues: Ramp
}

interface Ring {
  /** The petals of one ring around the centre. */
  readonly petals: ReadonlyArray<Petal>
  readonly reach: number
  readonly turn: number
}

const flowers: Choices<readonly [deep: number, full: number, pale: number, tip: number]> = [
  [0x5b0f3a, 0xc2255c, 0xff7eb0, 0xffd9e6],
  [0x6b1d0f, 0xd9480f, 0xff9e4f, 0xffe3b3],
  [0x2b1a6b, 0x6741d9, 0xb197fc, 0xece4ff],
  [0x8a5a00, 0xf0a500, 0xffd35c, 0xfff5cf],
  [0x7a4a63, 0xe3a5bd, 0xfbe3ea, 0xffffff],
  [0x0b2f6b, 0x2f6fd6, 0x8cb8ff, 0xe3eeff]
]

const tau = 2 * Math.PI

export const bloom = (sketch: Sketch): Scene => {
  const { frame, palette, random, hints } = sketch
  const [deep, full, pale, tip] = random.pick(flowers)
  const tint = hints.tint
  const hue = (code: number) => (tint === undefined ? hex(code) : blend(hex(code), tint, 0.5))
  const size = 0.41 * Math.min(frame.aspect, 1)
  const centre = {
    x: frame.aspect * (sketch.background === "transparent" ? 0.5 : random.between(0.44, 0.56)),
    y: sketch.background === "transparent" ? 0.5 : random.between(0.44, 0.52)
  }
  const count = random.pick([8, 10, 12, 14])
  const rings = [0, 1, 2, 3, 4].map((index) => {
    const inner = index / 4
    const middle = blend(hue(full), hue(pale), lerp(0.5, 1, inner))
    return makeRing(random, {
      petals: count - (index > 2 ? 2 : 0),
      reach: lerp(1, 0.36, inner),
      breadth: (lerp(1.09, 0.81, inner) * Math.PI) / count,
      turn: index * (Math.PI / count) + random.between(-0.1, 0.1),
      hues: ramp([hue(deep), blend(hue(deep), hue(full), 0.6), hue(full), middle, blend(hue(pale), hue(tip), 0.6)])
    })
  })
  const heart = { colour: hex(0xf2b632), dark: blend(hue(deep), hex(0x3a1d08), 0.6) }

  const subject: Shader = (ink, x, y) => {
    const dx = (x - centre.x) / size
    const dy = ((y - centre.y) / size) * 1.06
    const r = Math.sqrt(dx * dx + dy * dy)
    if (r > 1.06) return
    paintPetals(ink, sketch, rings, r, dx, dy, (1.5 * frame.pixel) / size)
    if (r < 0.3) paintHeart(ink, sketch, heart, r, dx, dy, frame.pixel / size)
  }
  return { backdrop: garden(sketch, blend(palette.near, hue(deep), 0.25), hue(pale), centre, size), subject }
}

const makeRing = (
  random: Random,
  options: {
    readonly petals: number
    readonly reach: number
    readonly breadth: number
    readonly turn: number
    readonly hues: Ramp
  }
): Ring => ({
  reach: options.reach,
  turn: options.turn,
  petals: Array.from({ length: options.petals }, (_, index) => {
    const angle = options.turn + (index * tau) / options.petals
    const reach = options.reach * random.between(0.92, 1)
    return { cos: Math.cos(angle), sin: Math.sin(angle), reach, breadth: options.breadth, hues: options.hues }
  })
})

/** Half the width of a petal of breadth 1, at 257 positions along its length. */
const petalShape = Float64Array.from({ length: 257 }, (_, i) => (i / 256) ** 0.75 * Math.sqrt(1 - (i / 256) ** 4.5))

/**
 * The petals that cover the current pixel, from the lowest to the highest, and how much of the pixel each covers.
 * Petals below one that covers the whole pixel are left out. The arrays are reused for every pixel.
 */
const stack = { petals: new Array<Petal>(), covers: new Float64Array(20) }

const paintPetals = (
  ink: Ink,
  { noise }: Sketch,
  rings: ReadonlyArray<Ring>,
  r: number,
  dx: number,
  dy: number,
  soft: number
) => {
  const angle = Math.atan2(dy, dx)
  let height = 0
  for (const ring of rings) {
    if (r > ring.reach) break
    const count = ring.petals.length
    const cell = Math.floor(((angle - ring.turn) / tau) * count)
    // The petals of a ring are visited in the order of their angles at every point. So all around the flower, each
    // petal overlaps its neighbour on the same side.
    for (let i = cell - 1; i <= cell + 2; i++) {
      const petal = ring.petals[(i + 2 * count) % count]!
      const along = (dx * petal.cos + dy * petal.sin) / petal.reach
      if (along <= 0 || along >= 1) continue
      const across = Math.abs(dy * petal.cos - dx * petal.sin) / petal.reach
      const edge = soft / petal.reach
      const half = petal.breadth * petalShape[(along * 256) | 0]!
      const cover = smooth(edge, 0, across - half) * smooth(1, 1 - edge, along)
      if (cover === 0) continue
      if (cover === 1) height = 0
      stack.petals[height] = petal
      stack.covers[height++] = cover
    }
  }
  for (let i = 0; i < height; i++) paintPetal(ink, noise, stack.petals[i]!, stack.covers[i]!, dx, dy)
}

const paintPetal = (ink: Ink, noise: Noise, petal: Petal, cover: number, dx: number, dy: number) => {
  const along = (dx * petal.cos + dy * petal.sin) / petal.reach
  const side =
    (dy * petal.cos - dx * petal.sin) / petal.reach / (petal.breadth * petalShape[(along * 256) | 0]! + 0.001)
  const vein = noise.at(side * 6 + petal.cos * 40, along * 2.2) + 0.5 * noise.at(side * 15, along * 3 + petal.sin * 40)
  const crease = Math.exp(-side * side * 30) * (1 - along * 0.5)
  ink.overRamp(petal.hues, 0.1 + 0.72 * along + 0.09 * vein + 0.12 * smooth(0.4, 1, side) - 0.16 * crease, cover)
  ink.scale(1 - cover * (0.3 * smooth(-0.3, -1, side) + 0.35 * smooth(0.45, 0.1, along)))
}

const paintHeart = (
  ink: Ink,
  { noise }: Sketch,
  heart: { readonly colour: Colour; readonly dark: Colour },
  r: number,
  dx: number,
  dy: number,
  soft: number
) => {
  const rim = 0.15 + 0.008 * noise.at((dx / r) * 6, (dy / r) * 6)
  ink.over(heart.dark, 0.6 * smooth(rim + 0.09, rim - 0.02, r))
  const cover = smooth(rim + soft, rim - soft, r)
  if (cover === 0) return
  const seeds = nearestSeed(dx / 0.15, dy / 0.15)
  ink.over(heart.dark, cover)
  ink.over(heart.colour, cover * smooth(0.1, 0.03, seeds) * (0.55 + 0.45 * smooth(0.15, 0, r)))
  ink.light(hex(0xfff3c4), cover * 0.6 * smooth(0.06, 0.01, seeds) * smooth(0.1, -0.12, dx + dy))
}

/**
 * Returns the distance from a point to the nearest seed, at most 1. The seeds form a sunflower's spiral on the unit
 * disc.
 */
const nearestSeed = (x: number, y: number): number => {
  let nearest = 1
  for (let i = 0; i < seedCount; i++) {
    const dx = x - seedX[i]!
    const dy = y - seedY[i]!
    nearest = Math.min(nearest, dx * dx + dy * dy)
  }
  return Math.sqrt(nearest)
}

const seedCount = 120
const golden = Math.PI * (3 - Math.sqrt(5))
const seedX = Float64Array.from(
  { length: seedCount },
  (_, i) => Math.sqrt((i + 0.5) / seedCount) * Math.cos(i * golden)
)
const seedY = Float64Array.from(
  { length: seedCount },
  (_, i) => Math.sqrt((i + 0.5) / seedCount) * Math.sin(i * golden)
)

/** Makes the shader of the garden behind the flower: leaves and lights that are out of focus. */
const garden = (
  { frame, noise, palette, random }: Sketch,
  dark: Colour,
  pale: Colour,
  centre: { readonly x: number; readonly y: number },
  size: number
): Shader => {
  const shift = random.between(0, 100)
  const green = blend(hex(0x3f7a4a), palette.far, 0.4)
  const lights = Array.from({ length: 26 }, () => ({
    x: frame.aspect * random.next(),
    y: random.next(),
    radius: random.between(0.02, 0.075),
    strength: random.between(0.08, 0.3),
    colour: random.pick([palette.glow, pale, palette.sun])
  }))
  const leaves = Field.over(frame, 1, 150, (x, y) => noise.fractal(x * 1.6 + shift, y * 1.6, 3))
  const openings = Field.over(frame, 1, 150, (x, y) => noise.fractal(x * 1.3 + shift + 20, y * 1.3, 2))
  return (ink, x, y) => {
    ink.over(dark, 1)
    ink.over(green, smooth(-0.4, 0.6, leaves(x, y) + 0.35 - 0.5 * y))
    ink.over(palette.horizon, 0.65 * smooth(0.05, 0.75, openings(x, y) + 0.25 * (1 - y)))
    for (const light of lights) {
      const dx = x - light.x
      const dy = y - light.y
      const reach = Math.sqrt(dx * dx + dy * dy) / light.radius
      if (reach < 1) ink.light(light.colour, light.strength * smooth(1, 0.86, reach) * (0.65 + 0.35 * reach))
    }
    const shadowX = (x - centre.x - 0.02) / size
    const shadowY = (y - centre.y - 0.04) / size
    ink.over(dark, 0.55 * smooth(1.3, 0.7, Math.sqrt(shadowX * shadowX + shadowY * shadowY)))
  }
}
