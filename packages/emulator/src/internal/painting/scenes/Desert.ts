/** Dunes under a huge sun or moon, with crests between light and shadow, and ripples in the sand. */
import { blend, type Colour, hex, type Ink, lerp, smooth } from "../Colour.ts"
import { perColumn, type Scene, type Sketch } from "../Scene.ts"
import * as Sky from "../Sky.ts"

interface Dune {
  readonly crest: Float32Array
  readonly peakX: number
  readonly wander: number
  readonly light: Colour
  readonly shadow: Colour
  readonly nearness: number
}

const sand = hex(0xe0a15c)

export const desert = (sketch: Sketch): Scene => {
  const { frame, palette, random } = sketch
  const side = random.chance(0.5) ? 1 : -1
  const sun = {
    x: frame.aspect * (0.5 + side * random.between(0.06, 0.24)),
    y: random.between(0.26, 0.38),
    radius: random.between(0.09, 0.14)
  }
  const sky = Sky.make(sketch, { horizon: 0.56, sun, clouds: random.between(0.05, 0.3) })
  const dunes = [0, 1, 2, 3, 4].map((index) => makeDune(sketch, index / 4))
  return {
    backdrop: (ink, x, y, column) => {
      const nearest = dunes.findLastIndex((dune) => y - dune.crest[column]! > frame.pixel)
      if (nearest < 0) sky.paint(ink, x, Math.min(y, 0.56))
      for (let i = Math.max(0, nearest); i < dunes.length; i++) {
        const dune = dunes[i]!
        paintDune(ink, sketch, dune, x, y, y - dune.crest[column]!, side)
      }
      ink.light(palette.glow, 0.16 * Math.exp(-(((y - 0.56) / 0.1) ** 2)))
    }
  }
}

const makeDune = ({ frame, noise, palette, random }: Sketch, nearness: number): Dune => {
  const peakX = frame.aspect * random.between(0.15, 0.85)
  const shift = random.between(0, 100)
  const base = lerp(0.58, 0.88, nearness ** 1.25)
  const height = lerp(0.05, 0.17, nearness)
  const spread = lerp(0.28, 0.6, nearness) * frame.aspect
  const tone = blend(sand, palette.glow, 0.35)
  const dusk = palette.mood === "night" ? 0.75 : palette.mood === "dusk" || palette.mood === "storm" ? 0.4 : 0.05
  const light = blend(blend(tone, palette.far, dusk), palette.horizon, 0.45 * (1 - nearness))
  return {
    crest: perColumn(frame, (x) => {
      const away = Math.abs(x - peakX) / spread
      return (
        base -
        height * Math.exp(-away * 1.9) -
        0.05 * noise.at(x * lerp(2.2, 1.2, nearness) + shift, nearness * 7) -
        0.004 * noise.at(x * 9 + shift, 3)
      )
    }),
    peakX,
    wander: random.between(-0.35, 0.35),
    light,
    shadow: blend(light, blend(palette.near, hex(0x5a2b34), 0.5), lerp(0.5, 0.8, nearness)),
    nearness
  }
}

const paintDune = (
  ink: Ink,
  { frame, noise }: Sketch,
  dune: Dune,
  x: number,
  y: number,
  depth: number,
  side: number
) => {
  const cover = smooth(-frame.pixel, frame.pixel, depth)
  if (cover === 0) return
  const spine =
    dune.peakX +
    dune.wander * depth * 1.6 +
    0.16 * Math.sin(depth * lerp(16, 8, dune.nearness) + dune.wander * 9) * smooth(0, 0.2, depth)
  const past = (spine - x) * side
  const lee = smooth(-0.004 - depth * 0.12, 0.004 + depth * 0.03, past) * smooth(0.9, 0.2, past)
  const swell = noise.fractal(x * 2.2 + dune.nearness * 20, y * 5, 3)
  const shade = Math.min(1, 0.9 * lee + 0.34 * smooth(0.05, 0.5, swell) + 0.45 * smooth(0.05, 0.4, depth))
  const warp = noise.at(x * 4, y * 9 + dune.nearness * 30)
  const ripples =
    Math.sin((y * 1.25 + 0.11 * x * side) * lerp(620, 230, dune.nearness) + warp * 9) * smooth(0, 0.06, depth)
  ink.over(dune.light, cover)
  ink.over(dune.shadow, cover * shade)
  ink.scale(
    1 +
      cover *
        (0.055 * ripples * (1 - 0.7 * lee) * (0.3 + dune.nearness) +
          0.05 * swell +
          0.25 * (1 - shade) * smooth(0.02, 0, depth))
  )
}
