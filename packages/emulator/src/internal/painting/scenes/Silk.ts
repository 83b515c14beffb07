/** Folds of coloured silk in a low light. */
import { blend, clamp, type Colour, hex, type Ramp, ramp, smooth } from "../Colour.ts"
import type { Choices } from "../Random.ts"
import type { Scene, Sketch } from "../Scene.ts"

const dyes: Choices<ReadonlyArray<number>> = [
  [0x10204a, 0x1f5f8b, 0x4fb0ae, 0xf4e3b2, 0xf29559, 0xb83b5e],
  [0x22092c, 0x872341, 0xbe3144, 0xf05941, 0xffc078, 0xfff1d6],
  [0x0b2027, 0x125b50, 0x40a578, 0x9ddb8a, 0xf6f1c7, 0xe8a87c],
  [0x1a1446, 0x4a2c8f, 0x8e5bc4, 0xe39ac4, 0xfcd5ce, 0xfff8ee],
  [0x0d1b2a, 0x23395b, 0x54749c, 0xb9c6d8, 0xf2e9e4, 0xd9a05b]
]

export const silk = ({ frame, noise, octaves, random, hints }: Sketch): Scene => {
  const hues: Ramp = dye(random.pick(dyes).map(hex), hints.tint)
  const shift = random.between(0, 100)
  const stretch = random.between(0.75, 1.3)
  const turn = random.between(0, Math.PI)
  const cos = Math.cos(turn)
  const sin = Math.sin(turn)

  const fold = (u: number, v: number) => {
    const a = noise.fractal(u, v, 2)
    const b = noise.fractal(u + 5.2 + a, v + 1.3 - a, 2)
    return noise.fractal(u + 1.9 * b, v + 1.9 * a, Math.max(2, octaves - 2)) + 0.35 * b
  }

  return {
    backdrop: (ink, x, y) => {
      const u = (x - frame.aspect / 2) * cos - y * sin
      const v = ((x - frame.aspect / 2) * sin + y * cos) * stretch
      const height = fold(u * 1.25 + shift, v * 1.25)
      const aside = fold(u * 1.25 + shift + 0.012, v * 1.25 + 0.008)
      const slope = (height - aside) * 42
      const threads = noise.at(u * 140 + height * 60, v * 9) * 0.035 + noise.at(u * 16 + height * 40, v * 3) * 0.06
      ink.overRamp(hues, clamp(0.5 + 0.78 * height + threads), 1)
      ink.scale(0.82 + 0.36 * clamp(0.5 + slope, 0, 1))
      ink.light(hex(0xffffff), 0.34 * smooth(0.32, 0.95, slope))
    }
  }
}

const dye = (colours: ReadonlyArray<Colour>, tint: Colour | undefined): Ramp => {
  const [first = hex(0), ...rest] = colours.map((colour) => (tint === undefined ? colour : blend(colour, tint, 0.3)))
  return ramp([first, ...rest])
}
