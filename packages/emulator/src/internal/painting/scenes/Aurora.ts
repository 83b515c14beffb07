/** Northern lights: folded curtains, sharp below and fading upwards in fine rays. */
import { hex, type Ink, lerp, smooth } from "../Colour.ts"
import type { Sketch } from "../Scene.ts"

const green = hex(0x3dffb0)
const teal = hex(0x2bb8ff)
const violet = hex(0xb45cff)

export const aurora = ({ noise, random }: Sketch, horizon: number): ((ink: Ink, x: number, y: number) => void) => {
  const shift = random.between(0, 100)
  const tilt = random.between(-0.12, 0.12)
  return (ink, x, y) => {
    for (let curtain = 0; curtain < 3; curtain++) {
      const fold = noise.fractal(x * 1.6 + shift + curtain * 13, curtain * 5.2, 3)
      const hem = horizon * lerp(0.86, 0.42, curtain / 2) + 0.2 * fold + tilt * (x - 0.5)
      const height = lerp(0.2, 0.34, curtain / 2)
      const up = (hem - y) / height
      if (up < -0.12 || up > 1.6) continue
      const rays = 0.62 + 0.5 * noise.at((x + 0.35 * fold) * 34 + shift, up * 0.5 + curtain) + 0.25 * noise.at(x * 90, curtain)
      const strength = smooth(-0.1, 0.06, up) * Math.exp(-1.9 * Math.max(0, up)) * Math.max(0, rays) * lerp(0.9, 0.5, curtain / 2)
      const patch = smooth(-0.45, 0.35, noise.at(x * 1.3 + shift * 2, curtain * 3.3))
      ink.light(green, strength * patch * smooth(0.9, 0, up))
      ink.light(teal, strength * patch * 0.5 * smooth(0, 0.5, up))
      ink.light(violet, strength * patch * 0.9 * smooth(0.2, 0.9, up))
    }
  }
}
