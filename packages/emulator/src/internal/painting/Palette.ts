/**
 * The colours of an image: those of its sky, its sun or moon, its distant land, its foreground and its details. A mood
 * has several palettes, of which one is chosen at random.
 */
import { type Colour, hex, type Ramp, ramp, tinted } from "./Colour.ts"
import type { Choices, Random } from "./Random.ts"

export type Mood = "dawn" | "day" | "sunset" | "dusk" | "night" | "storm"

export interface Palette {
  readonly mood: Mood
  /** The colours of the sky, from the zenith at 0 to the horizon at 1. */
  readonly sky: Ramp
  readonly zenith: Colour
  readonly horizon: Colour
  /** `sun` is the disc of the sun or moon, `glow` the light around it. */
  readonly sun: Colour
  readonly glow: Colour
  /** `far` is distant land, `near` is the foreground. */
  readonly far: Colour
  readonly near: Colour
  /** A contrasting colour for details. */
  readonly accent: Colour
}

interface Recipe {
  readonly sky: readonly [number, number, number, number, number]
  readonly sun: number
  readonly glow: number
  readonly far: number
  readonly near: number
  readonly accent: number
}

const recipes: { readonly [mood in Mood]: Choices<Recipe> } = {
  dawn: [
    {
      sky: [0x5b82bd, 0x93aedd, 0xd5bfdd, 0xf9cfc4, 0xfff0d6],
      sun: 0xfffbe8,
      glow: 0xffd3b0,
      far: 0xa9a6cc,
      near: 0x34436a,
      accent: 0xe58a8a
    },
    {
      sky: [0x4f97a6, 0x8fc4c4, 0xd9e2c9, 0xf9d3a8, 0xf7b08f],
      sun: 0xfff6dc,
      glow: 0xffca96,
      far: 0x9fb5b2,
      near: 0x24474f,
      accent: 0xe9775a
    },
    {
      sky: [0x7a78b8, 0xb096c8, 0xe5afc4, 0xfbcab5, 0xffe6c4],
      sun: 0xfff8e6,
      glow: 0xffc0b0,
      far: 0xb59cc0,
      near: 0x43375e,
      accent: 0xf2a65a
    }
  ],
  day: [
    {
      sky: [0x2769ad, 0x4f94cd, 0x8ac0e2, 0xc6e3ee, 0xf2f2e4],
      sun: 0xfffdf0,
      glow: 0xfff2cc,
      far: 0x8fb2c6,
      near: 0x1d4650,
      accent: 0xe4572e
    },
    {
      sky: [0x1f7a8c, 0x4aa3b0, 0x8acdcb, 0xcbe8dd, 0xf8f1dc],
      sun: 0xfffdf0,
      glow: 0xfff0c0,
      far: 0x93bdb9,
      near: 0x174a43,
      accent: 0xf2764a
    },
    {
      sky: [0x3d5fa8, 0x6a8fd0, 0xa3bfe8, 0xd9e1f2, 0xfbeede],
      sun: 0xfffdf4,
      glow: 0xffe8cf,
      far: 0xa4b4d2,
      near: 0x2c3d66,
      accent: 0xf0a03c
    }
  ],
  sunset: [
    {
      sky: [0x2a2352, 0x5b3978, 0xb54f80, 0xf17e58, 0xffc76d],
      sun: 0xfff3c8,
      glow: 0xff9650,
      far: 0x96587f,
      near: 0x1b1430,
      accent: 0xffd166
    },
    {
      sky: [0x1c3358, 0x475a8c, 0xb97f90, 0xf7a070, 0xffe09c],
      sun: 0xfff5d4,
      glow: 0xffae66,
      far: 0x83708f,
      near: 0x151d33,
      accent: 0xf25f5c
    },
    {
      sky: [0x0e4658, 0x3a7c86, 0xa8b394, 0xf4b860, 0xf58a48],
      sun: 0xfff2c9,
      glow: 0xffa74d,
      far: 0x7f8d7f,
      near: 0x0f2a33,
      accent: 0xe8505b
    },
    {
      sky: [0x3b1c4a, 0x7a2a5c, 0xc93c5e, 0xf5694b, 0xffb35a],
      sun: 0xffeebc,
      glow: 0xff7d45,
      far: 0x9a4566,
      near: 0x210f2a,
      accent: 0xffc15e
    }
  ],
  dusk: [
    {
      sky: [0x131a40, 0x2e376f, 0x67589b, 0xb880a8, 0xf2b8a2],
      sun: 0xfff0e0,
      glow: 0xf09f9c,
      far: 0x705f95,
      near: 0x0f1230,
      accent: 0xffcf8f
    },
    {
      sky: [0x0f2740, 0x234a68, 0x4c7a90, 0x93a9a8, 0xe6c3a0],
      sun: 0xfff2dc,
      glow: 0xe8b088,
      far: 0x5d7d8c,
      near: 0x0b1d2c,
      accent: 0xffb870
    }
  ],
  night: [
    {
      sky: [0x050a1e, 0x0c1a3b, 0x19315e, 0x2c5283, 0x5580a8],
      sun: 0xf6f3e0,
      glow: 0x9fc2ea,
      far: 0x2d4a74,
      near: 0x060c1b,
      accent: 0xffcf70
    },
    {
      sky: [0x0a0620, 0x1a1044, 0x341e6a, 0x5c378c, 0x9a5fa6],
      sun: 0xfbf0ea,
      glow: 0xc8a8ee,
      far: 0x443074,
      near: 0x0a0618,
      accent: 0xff8fa8
    },
    {
      sky: [0x03131c, 0x082b38, 0x104a56, 0x23727a, 0x5aa79f],
      sun: 0xf2f7e4,
      glow: 0x9fe0d0,
      far: 0x1f5560,
      near: 0x03101a,
      accent: 0xffd27a
    }
  ],
  storm: [
    {
      sky: [0x2c3844, 0x485763, 0x6f7f88, 0x9ba8a9, 0xd3d4c8],
      sun: 0xfaf6e4,
      glow: 0xd9d8c6,
      far: 0x7f8f96,
      near: 0x1c272e,
      accent: 0xe0b15a
    },
    {
      sky: [0x33384f, 0x4f5770, 0x7a8098, 0xabaab5, 0xdcd0c4],
      sun: 0xfff4e2,
      glow: 0xe2cdb8,
      far: 0x868a9c,
      near: 0x20243a,
      accent: 0xd98f6a
    }
  ]
}

export const make = (mood: Mood, random: Random, tint: Colour | undefined): Palette => {
  const recipe = random.pick(recipes[mood])
  const colour = (code: number) => (tint === undefined ? hex(code) : tinted(hex(code), tint, 0.55))
  const [zenith, high, middle, low, horizon] = recipe.sky
  return {
    mood,
    sky: ramp([colour(zenith), colour(high), colour(middle), colour(low), colour(horizon)]),
    zenith: colour(zenith),
    horizon: colour(horizon),
    sun: hex(recipe.sun),
    glow: colour(recipe.glow),
    far: colour(recipe.far),
    near: colour(recipe.near),
    accent: colour(recipe.accent)
  }
}
