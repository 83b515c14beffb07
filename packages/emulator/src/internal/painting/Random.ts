/**
 * Seeded pseudo-random numbers: the same seed gives the same sequence on every machine. Effect's `Random` is not used,
 * because each of its numbers is an Effect, and the code that paints is synchronous.
 */
export interface Random {
  /** The next number in [0, 1). */
  readonly next: () => number
  readonly between: (min: number, max: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <A>(items: Choices<A>) => A
}

export type Choices<A> = readonly [A, ...ReadonlyArray<A>]

/**
 * Hashes a text with FNV-1a over its UTF-16 units. The hash is then mixed, so that similar texts have very different
 * hashes.
 */
export const hashText = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mix(hash)
}

/** Returns 32 random bits for a cell of a grid. The same cell and seed give the same bits. */
export const hashBits = (x: number, y: number, seed: number): number =>
  mix(Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1) ^ seed)

/** Returns a random number in [0, 1) for a cell of a grid. The same cell and seed give the same number. */
export const hashCell = (x: number, y: number, seed: number): number => hashBits(x, y, seed) / 4294967296

const mix = (value: number): number => {
  let hash = value ^ (value >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Makes a Mulberry32 generator. */
export const make = (seed: number): Random => {
  let state = mix(seed)
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return {
    next,
    between: (min, max) => min + (max - min) * next(),
    chance: (probability) => next() < probability,
    pick: (items) => items[Math.floor(next() * items.length)] ?? items[0]
  }
}
