/**
 * A small alphabet of strokes (lines and arcs), because a machine may have no fonts. The unit is the x-height. y goes
 * down: the baseline is at 0, and the top of an x is at -1.
 */

export type Stroke =
  | { readonly kind: "line"; readonly from: readonly [number, number]; readonly to: readonly [number, number] }
  | {
      readonly kind: "arc"
      readonly centre: readonly [number, number]
      readonly radius: number
      /**
       * The angles at which the arc starts and ends, in full turns, clockwise from the right. `end` is larger than
       * `start`. Both may be outside 0 to 1.
       */
      readonly start: number
      readonly end: number
    }

export interface Glyph {
  readonly width: number
  readonly strokes: ReadonlyArray<Stroke>
}

/** Makes a line through several points. The arguments are the x and y of each point in turn. */
const path = (...points: ReadonlyArray<number>): ReadonlyArray<Stroke> => {
  const strokes: Array<Stroke> = []
  for (let i = 0; i + 3 < points.length; i += 2) {
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = points.slice(i, i + 4)
    strokes.push({ kind: "line", from: [x1, y1], to: [x2, y2] })
  }
  return strokes
}

const arc = (x: number, y: number, radius: number, start: number, end: number): Stroke => ({
  kind: "arc",
  centre: [x, y],
  radius,
  start,
  end
})

const glyph = (width: number, ...strokes: ReadonlyArray<Stroke | ReadonlyArray<Stroke>>): Glyph => ({
  width,
  strokes: strokes.flat()
})

const bowl = arc(0.5, -0.5, 0.5, 0, 1)
const dot = (x: number, y: number) => path(x, y, x, y)

const ascender = -1.55
const descender = 0.5
/** The y coordinate of the top of digits, and of tall punctuation such as `!`. Ascenders reach a little higher. */
const cap = -1.45

const glyphs: { readonly [character: string]: Glyph } = {
  a: glyph(1, bowl, path(1, -1, 1, 0)),
  b: glyph(1, bowl, path(0, ascender, 0, 0)),
  c: glyph(0.87, arc(0.5, -0.5, 0.5, 0.12, 0.88)),
  d: glyph(1, bowl, path(1, ascender, 1, 0)),
  e: glyph(1, arc(0.5, -0.5, 0.5, 0.1, 1), path(0.02, -0.5, 1, -0.5)),
  f: glyph(0.62, path(0.22, 0, 0.22, -1.2), arc(0.54, -1.22, 0.32, 0.5, 0.76), path(0, -1, 0.56, -1)),
  g: glyph(1, bowl, path(1, -1, 1, 0.04), arc(0.5, 0.04, 0.5, 0, 0.42)),
  h: glyph(0.86, path(0, ascender, 0, 0), arc(0.43, -0.57, 0.43, 0.5, 1), path(0.86, -0.57, 0.86, 0)),
  i: glyph(0, path(0, -1, 0, 0), dot(0, -1.42)),
  j: glyph(0.3, path(0.3, -1, 0.3, 0.2), arc(0, 0.2, 0.3, 0, 0.25), dot(0.3, -1.42)),
  k: glyph(0.8, path(0, ascender, 0, 0), path(0.76, -1, 0, -0.4), path(0.27, -0.6, 0.8, 0)),
  l: glyph(0, path(0, ascender, 0, 0)),
  m: glyph(
    1.5,
    path(0, -1, 0, 0),
    arc(0.375, -0.625, 0.375, 0.5, 1),
    path(0.75, -0.625, 0.75, 0),
    arc(1.125, -0.625, 0.375, 0.5, 1),
    path(1.5, -0.625, 1.5, 0)
  ),
  n: glyph(0.86, path(0, -1, 0, 0), arc(0.43, -0.57, 0.43, 0.5, 1), path(0.86, -0.57, 0.86, 0)),
  o: glyph(1, bowl),
  p: glyph(1, bowl, path(0, -1, 0, descender)),
  q: glyph(1, bowl, path(1, -1, 1, descender)),
  r: glyph(0.56, path(0, -1, 0, 0), arc(0.43, -0.57, 0.43, 0.5, 0.8)),
  s: glyph(0.7, arc(0.35, -0.75, 0.25, 0.25, 0.92), arc(0.35, -0.25, 0.25, -0.25, 0.42)),
  t: glyph(0.6, path(0.2, -1.4, 0.2, -0.3), arc(0.5, -0.3, 0.3, 0.25, 0.5), path(0, -1, 0.56, -1)),
  u: glyph(0.86, path(0, -1, 0, -0.43), arc(0.43, -0.43, 0.43, 0, 0.5), path(0.86, -1, 0.86, 0)),
  v: glyph(0.84, path(0, -1, 0.42, 0, 0.84, -1)),
  w: glyph(1.3, path(0, -1, 0.34, 0, 0.65, -0.9, 0.96, 0, 1.3, -1)),
  x: glyph(0.8, path(0, -1, 0.8, 0), path(0.8, -1, 0, 0)),
  y: glyph(0.84, path(0, -1, 0.42, 0), path(0.84, -1, 0.24, descender)),
  z: glyph(0.74, path(0, -1, 0.74, -1, 0, 0, 0.74, 0)),
  "0": glyph(
    0.86,
    arc(0.43, -1.02, 0.43, 0.5, 1),
    path(0, -1.02, 0, -0.43),
    arc(0.43, -0.43, 0.43, 0, 0.5),
    path(0.86, -1.02, 0.86, -0.43)
  ),
  "1": glyph(0.36, path(0, -1.2, 0.36, cap, 0.36, 0)),
  "2": glyph(0.8, arc(0.4, -1.05, 0.4, 0.5, 1.1), path(0.74, -0.82, 0, 0, 0.8, 0)),
  "3": glyph(0.8, arc(0.38, -1.09, 0.36, 0.55, 1.25), arc(0.38, -0.37, 0.37, -0.25, 0.45)),
  "4": glyph(0.9, path(0.66, 0, 0.66, cap, 0, -0.42, 0.9, -0.42)),
  "5": glyph(0.8, path(0.72, cap, 0.12, cap, 0.06, -0.84), arc(0.34, -0.45, 0.45, 0.62, 1.4)),
  "6": glyph(0.88, arc(0.44, -0.44, 0.44, 0, 1), path(0.02, -0.56, 0.5, cap)),
  "7": glyph(0.78, path(0, cap, 0.78, cap, 0.24, 0)),
  "8": glyph(0.8, arc(0.4, -1.1, 0.34, 0, 1), arc(0.4, -0.38, 0.38, 0, 1)),
  "9": glyph(0.88, arc(0.44, -1.01, 0.44, 0, 1), path(0.86, -0.89, 0.38, 0)),
  ".": glyph(0, dot(0, -0.03)),
  ",": glyph(0.1, path(0.1, -0.06, 0, 0.24)),
  ":": glyph(0, dot(0, -0.03), dot(0, -0.8)),
  ";": glyph(0.1, path(0.1, -0.06, 0, 0.24), dot(0.1, -0.8)),
  "!": glyph(0, path(0, cap, 0, -0.45), dot(0, -0.03)),
  "?": glyph(0.7, arc(0.35, -1.1, 0.35, 0.5, 1.25), path(0.35, -0.75, 0.35, -0.45), dot(0.35, -0.03)),
  "'": glyph(0, path(0, cap, 0, -1.1)),
  '"': glyph(0.24, path(0, cap, 0, -1.1), path(0.24, cap, 0.24, -1.1)),
  "-": glyph(0.5, path(0, -0.5, 0.5, -0.5)),
  "/": glyph(0.6, path(0, 0.15, 0.6, cap)),
  "(": glyph(0.3, arc(0.9, -0.65, 0.9, 0.36, 0.64)),
  ")": glyph(0.3, arc(-0.6, -0.65, 0.9, -0.14, 0.14)),
  "&": glyph(0.9, arc(0.4, -1.15, 0.28, 0, 1), arc(0.36, -0.42, 0.4, 0.06, 0.86), path(0.24, -0.92, 0.9, 0)),
  "+": glyph(0.7, path(0, -0.55, 0.7, -0.55), path(0.35, -0.9, 0.35, -0.2)),
  "…": glyph(0.8, dot(0, -0.03), dot(0.4, -0.03), dot(0.8, -0.03)),
  " ": glyph(0.15)
}

/** Returns the glyphs of a text. Case and accents are ignored. A character that is not in the alphabet is left out. */
export const glyphsOf = (text: string): ReadonlyArray<Glyph> =>
  Array.from(text.normalize("NFKD").toLowerCase().replaceAll("ß", "ss")).flatMap((character) => glyphs[character] ?? [])
