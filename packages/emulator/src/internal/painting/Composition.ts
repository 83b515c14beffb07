/**
 * Chooses the scene for a prompt. Everything that is random in the scene is the same each time for the same options.
 */
import { Ink, smooth } from "./Colour.ts"
import * as Noise from "./Noise.ts"
import * as Palette from "./Palette.ts"
import * as Prompt from "./Prompt.ts"
import * as Random from "./Random.ts"
import type { Frame, Scene, Shader, Sketch } from "./Scene.ts"
import { bloom } from "./scenes/Bloom.ts"
import { city } from "./scenes/City.ts"
import { desert } from "./scenes/Desert.ts"
import { forest } from "./scenes/Forest.ts"
import { mountains } from "./scenes/Mountains.ts"
import { portrait } from "./scenes/Portrait.ts"
import { sea } from "./scenes/Sea.ts"
import { silk } from "./scenes/Silk.ts"
import { space } from "./scenes/Space.ts"

export interface CompositionOptions {
  readonly prompt: string
  readonly seed: number
  readonly frame: Frame
  readonly background: "opaque" | "transparent"
  readonly octaves: number
}

const scenes: { readonly [name in Prompt.SceneName]: (sketch: Sketch) => Scene } = {
  bloom,
  city,
  desert,
  forest,
  mountains,
  portrait,
  sea,
  silk,
  space
}

export const compose = (options: CompositionOptions): Shader => {
  const hints = Prompt.hintsOf(options.prompt)
  const random = Random.make(Random.hashText(`${options.prompt}\n${options.seed}`))
  const mood = hints.mood ?? random.pick(["sunset", "sunset", "dusk", "dawn", "day", "night"])
  const sketch: Sketch = {
    frame: options.frame,
    background: options.background,
    hints,
    palette: Palette.make(mood, random, hints.tint),
    random,
    noise: Noise.make(random),
    octaves: options.octaves
  }
  const scene = scenes[hints.scene](sketch)
  return options.background === "opaque" ? opaque(scene, sketch) : withoutBackdrop(scene, sketch)
}

const opaque = ({ backdrop, subject }: Scene, { frame }: Sketch): Shader => {
  const front = new Ink()
  return (ink, x, y, column) => {
    front.clear()
    subject?.(front, x, y, column)
    if (front.a < 1) backdrop(ink, x, y, column)
    ink.overRgb(front.r, front.g, front.b, front.a)
    vignette(ink, x / frame.aspect, y)
  }
}

const vignette = (ink: Ink, x: number, y: number) => {
  const dx = x - 0.5
  const dy = y - 0.5
  ink.scale(1 - 0.42 * Math.max(0, dx * dx + dy * dy - 0.12))
}

/**
 * Makes the shader for a transparent background, which paints the subject only. If the scene has no subject, its
 * backdrop is painted within a disc with a rough edge.
 */
const withoutBackdrop = ({ backdrop, subject }: Scene, { frame, noise }: Sketch): Shader => {
  if (subject !== undefined) return subject
  const radius = 0.44 * Math.min(frame.aspect, 1)
  return (ink, x, y, column) => {
    const dx = x - frame.aspect / 2
    const dy = y - 0.5
    const rim = radius * (1 + 0.05 * noise.fractal(x * 5, y * 5, 3) + 0.05 * noise.at(x * 9 + 40, y * 90))
    const inside = smooth(rim + 0.004, rim - 0.004, Math.sqrt(dx * dx + dy * dy))
    if (inside === 0) return
    backdrop(ink, x, y, column)
    ink.a = inside
  }
}
