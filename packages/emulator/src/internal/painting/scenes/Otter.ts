/**
 * Paints a baby sea otter that looks at the viewer, made of soft ellipses and fur. The otter is in water up to its
 * chest, or there is no water.
 */
import { blend, type Colour, hex, Ink, lerp, smooth } from "../Colour.ts"
import type { Shader, Sketch } from "../Scene.ts"
import { coverage, ellipse, melted, segment } from "../Shapes.ts"

export interface OtterPlace {
  readonly x: number
  readonly y: number
  /** About half the width of the head. */
  readonly size: number
  /** The distance from the middle of the head down to the water, in units of `size`. `Infinity` without water. */
  readonly waterline: number
  /** The direction of the light: -1 is from the left, 1 from the right. */
  readonly light: number
}

const bark = hex(0x4a2f22)
const brown = hex(0x7d5640)
const cream = hex(0xf0dcbc)
const milk = hex(0xfcf1dd)
const dark = hex(0x1a1113)
const nose = hex(0x3a2626)
const blush = hex(0xe8917e)
const white = hex(0xffffff)

export const otter = ({ frame, noise, palette }: Sketch, place: OtterPlace): Shader => {
  const blur = (1.4 * frame.pixel) / place.size
  const rim = blend(palette.glow, palette.sun, 0.5)
  const shadow = blend(bark, palette.near, 0.5)
  const shell = blend(palette.accent, hex(0xff8f70), 0.5)

  const layer = new Ink()

  const fur = (u: number, v: number) => {
    const angle = Math.atan2(u, -v + 0.25)
    const radius = Math.sqrt(u * u + v * v)
    return noise.at(angle * 22, radius * 3.2) + 0.6 * noise.at(angle * 47 + 9, radius * 7)
  }

  const head = (u: number, v: number) => ellipse(u * (1 - 0.13 * v), v, 0, 0, 1.06, 0.9)
  const ears = (u: number, v: number) => ellipse(Math.abs(u), v, 0.88, -0.5, 0.2, 0.19)
  const body = (u: number, v: number) => ellipse(u, v, 0, 1.62, lerp(1, 0.92, smooth(1, 2.4, v)), 1.08)

  const paintPelt = (ink: Ink, u: number, v: number, distance: number, hair: number, base: Colour) => {
    const cover = coverage(distance + 0.028 * hair, blur + 0.03)
    if (cover === 0) return
    const side = 0.5 + 0.5 * u * place.light
    const sheen = 1 + 0.16 * hair + 0.1 * (side - 0.5) - 0.06 * v
    ink.overRgb(base.r * sheen, base.g * sheen, base.b * sheen, cover)
    ink.over(shadow, cover * 0.5 * smooth(-0.55, 0, distance) * (1 - side))
    ink.over(rim, cover * 0.7 * smooth(-0.1, 0.02, distance + 0.05 * hair) * smooth(0.5, 1.05, side - 0.2 * v))
  }

  const paintBody = (ink: Ink, u: number, v: number, hair: number) => {
    if (place.waterline === Infinity) paintFeet(ink, u, v)
    paintPelt(ink, u, v, body(u, v), hair, brown)
    ink.over(cream, 0.85 * smooth(0.12, -0.3, ellipse(u, v, 0, 1.6, 0.62, 0.78) + 0.05 * hair) * ink.a)
    ink.over(shadow, 0.5 * smooth(0.5, 0, Math.abs(v - 0.86)) * coverage(body(u, v), 0.2) * ink.a)
  }

  const paintFeet = (ink: Ink, u: number, v: number) => {
    const foot = ellipse(Math.abs(u), v, 0.52, 2.58, 0.36, 0.2)
    ink.over(bark, coverage(foot, blur))
    ink.over(blush, 0.35 * smooth(0.02, -0.1, ellipse(Math.abs(u), v, 0.52, 2.6, 0.24, 0.12)))
  }

  const paintHead = (ink: Ink, u: number, v: number, hair: number) => {
    if (v < -0.2) {
      paintPelt(ink, u, v, ears(u, v), hair * 0.6, bark)
      ink.over(blush, 0.5 * smooth(0.05, -0.08, ellipse(Math.abs(u), v, 0.87, -0.48, 0.11, 0.1)))
    }
    paintPelt(ink, u, v, head(u, v), hair, brown)
    const within = coverage(head(u, v), 0.1)
    const mask = melted(ellipse(u, v, 0, 0.42, 0.9, 0.52), ellipse(Math.abs(u), v, 0.46, 0.02, 0.36, 0.42), 0.25)
    ink.over(cream, within * 0.92 * smooth(0.12, -0.1, mask + 0.05 * hair))
    ink.over(bark, within * 0.3 * smooth(0.5, -0.1, ellipse(u, v, 0, -0.85, 0.7, 0.5)))
    ink.over(blush, within * 0.4 * smooth(0.1, -0.22, ellipse(Math.abs(u), v, 0.68, 0.34, 0.26, 0.2)))
  }

  const paintFace = (ink: Ink, u: number, v: number) => {
    const side = Math.abs(u)
    if (v < 0.28) paintEye(ink, side - 0.43, v + 0.02, Math.sign(u))
    if (v < 0.05) return
    ink.over(brown, 0.3 * smooth(0.08, -0.02, ellipse(side, v - 0.03, 0.2, 0.42, 0.28, 0.21)))
    ink.over(milk, smooth(0.03, -0.06, ellipse(side, v, 0.19, 0.42, 0.27, 0.21)))
    if (side < 0.34) paintMouth(ink, side, v)
    else paintWhiskers(ink, (side - 0.34) / 0.75, v)
  }

  const paintWhiskers = (ink: Ink, along: number, v: number) => {
    if (along > 1) return
    for (let i = -1; i <= 1; i++) {
      const hair = Math.abs(v - (0.42 + 0.07 * i + along * (0.2 * i - 0.02) + 0.1 * along * along))
      ink.over(white, 0.75 * coverage(hair - 0.007, blur) * (1 - along * along))
    }
  }

  const paintMouth = (ink: Ink, side: number, v: number) => {
    const smile = Math.abs(Math.sqrt((side - 0.13) ** 2 + (v - 0.43) ** 2) - 0.13)
    ink.over(nose, v > 0.43 ? 0.85 * coverage(smile - 0.014, blur) : 0)
    ink.over(nose, 0.85 * coverage(segment(side, v, 0, 0.25, 0, 0.43) - 0.014, blur))
    const tip = melted(ellipse(side, v, 0.08, 0.2, 0.14, 0.09), ellipse(side, v, 0, 0.27, 0.1, 0.07), 0.06)
    ink.over(nose, coverage(tip, blur))
    ink.over(white, 0.5 * smooth(0.03, -0.03, ellipse(side, v, 0.03, 0.165, 0.1, 0.03)))
  }

  /**
   * Paints an eye. `outwards` is measured away from the nose, so it has opposite directions for the two eyes. The
   * highlights are on the same side of both eyes, because there is one light.
   */
  const paintEye = (ink: Ink, outwards: number, v: number, side: number) => {
    if (Math.abs(outwards) > 0.3 || Math.abs(v) > 0.3) return
    const u = outwards * side
    ink.over(bark, 0.45 * smooth(0.07, -0.02, ellipse(u, v, 0, 0, 0.16, 0.175)))
    ink.over(dark, coverage(ellipse(u, v, 0, 0, 0.145, 0.16), blur))
    ink.over(brown, 0.8 * smooth(0.02, -0.05, ellipse(u, v, 0, 0.09, 0.1, 0.06)))
    ink.over(dark, coverage(ellipse(u, v, 0, 0.01, 0.085, 0.095), 0.04))
    ink.over(white, coverage(ellipse(u, v, 0.045, -0.06, 0.048, 0.052), blur))
    ink.over(white, 0.8 * coverage(ellipse(u, v, -0.05, 0.06, 0.02, 0.022), blur))
  }

  const paintShell = (ink: Ink, u: number, v: number) => {
    const fan = Math.sqrt(u * u + (v - 1.42) ** 2)
    const angle = Math.atan2(u, 1.42 - v)
    const grooves = Math.cos(angle * 16)
    const shown = coverage(Math.max(fan - 0.46 - 0.02 * grooves, (Math.abs(angle) - 1.15) * fan), blur)
    if (shown === 0) return
    ink.over(shell, shown)
    ink.over(milk, shown * (0.3 + 0.3 * grooves) * smooth(0.05, 0.4, fan))
    ink.over(bark, shown * 0.35 * smooth(0.3, 0.05, fan))
  }

  const paintPaws = (ink: Ink, u: number, v: number, hair: number) => {
    const side = Math.abs(u)
    const arm = ellipse(side, v, 0.56, 1.22, 0.36, 0.17)
    const paw = melted(arm, ellipse(side, v, 0.33, 1.24, 0.15, 0.15), 0.1)
    paintPelt(ink, u, v, paw, hair * 0.7, bark)
    for (let toe = 0; toe < 3; toe++) {
      const middle = 1.18 + 0.07 * toe
      ink.over(dark, 0.5 * coverage(segment(side, v, 0.2, middle, 0.27, middle) - 0.01, blur))
    }
  }

  return (ink, x, y) => {
    const u = (x - place.x) / place.size
    const v = (y - place.y) / place.size
    if (Math.abs(u) > 1.4 || v < -1.2 || v > 3 || v > place.waterline + 0.2) return
    const surface = place.waterline + 0.13 * Math.sqrt(Math.max(0, 1 - u * u)) + 0.03 * noise.at(u * 3, 7)
    const afloat = surface < Infinity
    const dry = afloat ? smooth(surface + 0.015, surface - 0.015, v) : 1
    if (dry === 0) return
    const hair = fur(u, v)
    layer.clear()
    if (v > 0.3) paintBody(layer, u, v, hair)
    if (v > 0.8 && v < 1.6) {
      paintShell(layer, u, v)
      paintPaws(layer, u, v, hair)
    }
    if (v < 1.1) paintHead(layer, u, v, hair)
    if (v > -0.34 && v < 0.9) paintFace(layer, u, v)
    layer.over(palette.glow, 0.1 * layer.a)
    if (afloat) layer.over(shadow, 0.6 * layer.a * smooth(surface - 0.3, surface, v))
    ink.overRgb(layer.r, layer.g, layer.b, layer.a * dry)
  }
}
