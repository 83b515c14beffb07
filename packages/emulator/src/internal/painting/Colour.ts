/**
 * Colours with sRGB channels from 0 to 1, and `Ink`, the pixel that is being painted. Gradients are blended in OKLab,
 * because in sRGB a gradient from blue to orange would pass through grey.
 */
export interface Colour {
  readonly r: number
  readonly g: number
  readonly b: number
}

export const clamp = (value: number, min = 0, max = 1): number => (value < min ? min : value > max ? max : value)

/**
 * Returns 0 for values below `from`, 1 for values above `to`, and rises smoothly in between. If `from > to`, it is 1
 * below `to`, 0 above `from`, and falls in between.
 */
export const smooth = (from: number, to: number, value: number): number => {
  const t = clamp((value - from) / (to - from))
  return t * t * (3 - 2 * t)
}

export const lerp = (from: number, to: number, t: number): number => from + (to - from) * t

export const hex = (code: number): Colour => ({
  r: ((code >> 16) & 255) / 255,
  g: ((code >> 8) & 255) / 255,
  b: (code & 255) / 255
})

/** Blends two colours in OKLab. */
export const blend = (from: Colour, to: Colour, t: number): Colour => {
  const a = toLab(from)
  const b = toLab(to)
  return fromLab([lerp(a[0], b[0], t), lerp(a[1], b[1], t), lerp(a[2], b[2], t)])
}

/**
 * Returns `colour` with its hue and saturation moved towards those of `tint`. The lightness changes only if the result
 * would not be an sRGB colour.
 */
export const tinted = (colour: Colour, tint: Colour, amount: number): Colour => {
  const own = toLab(colour)
  const other = toLab(tint)
  return fromLab([own[0], lerp(own[1], other[1], amount), lerp(own[2], other[2], amount)])
}

/** A gradient through evenly spaced colours, computed in advance as a table of colours by position. */
export interface Ramp {
  readonly steps: Float32Array
}

const rampSteps = 1024

export const ramp = (stops: readonly [Colour, ...ReadonlyArray<Colour>]): Ramp => {
  const steps = new Float32Array((rampSteps + 1) * 3)
  for (let i = 0; i <= rampSteps; i++) {
    const position = (i / rampSteps) * (stops.length - 1)
    const before = Math.min(Math.floor(position), Math.max(0, stops.length - 2))
    const from = stops[before] ?? stops[0]
    const colour = blend(from, stops[before + 1] ?? from, position - before)
    steps.set([colour.r, colour.g, colour.b], i * 3)
  }
  return { steps }
}

/** The pixel that is being painted. It is mutable and reused, because an image has millions of pixels. */
export class Ink {
  r = 0
  g = 0
  b = 0
  a = 0

  clear(): void {
    this.r = this.g = this.b = this.a = 0
  }

  /** Paints a colour over the pixel, with `amount` as its opacity. */
  over(colour: Colour, amount: number): void {
    this.overRgb(colour.r, colour.g, colour.b, amount)
  }

  overRamp(from: Ramp, position: number, amount: number): void {
    const index = 3 * ((clamp(position) * rampSteps + 0.5) | 0)
    this.overRgb(from.steps[index]!, from.steps[index + 1]!, from.steps[index + 2]!, amount)
  }

  overRgb(r: number, g: number, b: number, amount: number): void {
    if (amount <= 0) return
    const alpha = amount + this.a * (1 - amount)
    const share = amount / alpha
    this.r += (r - this.r) * share
    this.g += (g - this.g) * share
    this.b += (b - this.b) * share
    this.a = alpha
  }

  /** Adds light to the pixel. The brighter a channel already is, the less light is added to it. */
  light(colour: Colour, amount: number): void {
    this.r += colour.r * amount * (1 - Math.min(1, this.r))
    this.g += colour.g * amount * (1 - Math.min(1, this.g))
    this.b += colour.b * amount * (1 - Math.min(1, this.b))
  }

  /** Makes the pixel brighter (`factor` above 1) or darker. */
  scale(factor: number): void {
    this.r *= factor
    this.g *= factor
    this.b *= factor
  }
}

type Lab = readonly [number, number, number]

const toLinear = (c: number) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
const fromLinear = (c: number) => (c <= 0.0031308 ? c * 12.92 : 1.055 * c ** (1 / 2.4) - 0.055)

const toLab = (colour: Colour): Lab => {
  const r = toLinear(colour.r)
  const g = toLinear(colour.g)
  const b = toLinear(colour.b)
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s
  ]
}

const fromLab = ([lightness, a, b]: Lab): Colour => {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  return {
    r: clamp(fromLinear(Math.max(0, 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s))),
    g: clamp(fromLinear(Math.max(0, -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s))),
    b: clamp(fromLinear(Math.max(0, -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s)))
  }
}
