/** Northern lights: folded curtains with a sharp lower edge, which fade upwards in fine rays. */
import { hex, lerp, smooth } from "../Colour.ts"
import { perColumn, type Shader, type Sketch } from "../Scene.ts"

const green = hex(0x3dffb0)
const teal = hex(0x2bb8ff)
const violet = hex(0xb45cff)

interface Curtain {
  readonly hem: Float32Array
  readonly fold: Float32Array
  readonly strength: Float32Array
  readonly height: number
}

export const aurora = ({ frame, noise, random }: Sketch, horizon: number): Shader => {
  const shift = random.between(0, 100)
  const tilt = random.between(-0.12, 0.12)
  const curtains = [0, 1, 2].map((index): Curtain => {
    const fold = perColumn(frame, (x) => noise.fractal(x * 1.6 + shift + index * 13, index * 5.2, 3))
    const hem = horizon * lerp(0.86, 0.42, index / 2)
    return {
      fold,
      hem: perColumn(frame, (x) => tilt * (x - 0.5)).map((sloping, column) => sloping + hem + 0.2 * fold[column]!),
      strength: perColumn(frame, (x) => {
        const patch = smooth(-0.45, 0.35, noise.at(x * 1.3 + shift * 2, index * 3.3))
        return patch * lerp(0.9, 0.5, index / 2)
      }),
      height: lerp(0.2, 0.34, index / 2)
    }
  })
  return (ink, x, y, column) => {
    for (const { fold, height, hem, strength } of curtains) {
      const up = (hem[column]! - y) / height
      if (up < -0.12 || up > 1.6) continue
      const rays =
        0.62 +
        0.5 * noise.at((x + 0.35 * fold[column]!) * 34 + shift, up * 0.5 + height * 9) +
        0.25 * noise.at(x * 90, height * 9)
      const bright = strength[column]! * smooth(-0.1, 0.06, up) * Math.exp(-1.9 * Math.max(0, up)) * Math.max(0, rays)
      ink.light(green, bright * smooth(0.9, 0, up))
      ink.light(teal, bright * 0.5 * smooth(0, 0.5, up))
      ink.light(violet, bright * 0.9 * smooth(0.2, 0.9, up))
    }
  }
}
