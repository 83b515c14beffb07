/**
 * Finds the words of a prompt that the painter knows: words for scenes, moods and colours. A prompt without a word for
 * a scene gets the scene that its hash selects, so it gets the same scene each time.
 */
import { type Colour, hex } from "./Colour.ts"
import type { Mood } from "./Palette.ts"
import { type Choices, hashText } from "./Random.ts"

/**
 * Scenes with the words that select them. If a prompt has words of several entries, the first of these entries is
 * chosen.
 */
const sceneWords = [
  ["sea", "otter"],
  ["portrait", "portrait person people face woman man girl boy child selfie human head profile hero"],
  ["bloom", "flower floral bloom blossom rose tulip lotus sunflower dahlia petal bouquet garden peony orchid"],
  ["space", "space planet galaxy nebula cosmos cosmic universe astronaut rocket saturn mars orbit alien"],
  ["city", "city skyline skyscraper street downtown building tower tokyo manhattan urban cyberpunk neon metropolis"],
  ["desert", "desert dune sand sahara camel cactus canyon egypt pyramid"],
  ["forest", "forest tree wood woodland jungle fox deer bear owl mushroom firefly leaf leaves path"],
  [
    "mountains",
    "mountain peak alps alpine summit valley hill aurora northern snow snowy winter ice glacier arctic fuji lake fjord"
  ],
  [
    "sea",
    "sea ocean water wave beach coast island boat ship sail lighthouse whale fish surf harbour harbor river sunset sunrise"
  ],
  ["silk", "abstract pattern texture wallpaper silk marble swirl paint dream music background gradient colour color"]
] as const satisfies ReadonlyArray<readonly [string, string]>

export type SceneName = (typeof sceneWords)[number][0]

/** What a prompt selects: a scene, and, if it has words for them, a mood and a tint. */
export interface PromptHints {
  readonly scene: SceneName
  readonly mood: Mood | undefined
  readonly tint: Colour | undefined
  /** Whether the prompt contains one of these words, as it is or with `s` or `es` at its end. */
  readonly mentions: (...words: ReadonlyArray<string>) => boolean
}

/**
 * The scenes that a prompt without a word for a scene can get. Portraits are left out, because they could be taken for
 * a real person.
 */
const scenes: Choices<SceneName> = ["sea", "mountains", "forest", "desert", "space", "silk", "bloom", "city"]

const moodWords: ReadonlyArray<readonly [Mood, string]> = [
  ["night", "night midnight moon moonlight star starry dark neon firefly aurora"],
  ["sunset", "sunset golden autumn fall fire"],
  ["dusk", "dusk twilight evening"],
  ["dawn", "dawn sunrise morning spring pastel soft"],
  ["storm", "storm stormy rain rainy fog foggy mist misty grey gray winter"],
  ["day", "day noon sunny summer bright tropical"]
]

const tintWords: ReadonlyArray<readonly [Colour, string]> = [
  [hex(0xe0383a), "red crimson scarlet"],
  [hex(0xf08a2c), "orange amber"],
  [hex(0xf2c230), "yellow gold"],
  [hex(0x3fa34d), "green emerald"],
  [hex(0x22a6a0), "teal turquoise cyan"],
  [hex(0x2f6fd6), "blue azure"],
  [hex(0x8a4fd0), "purple violet lavender"],
  [hex(0xee6fa6), "pink rose magenta"]
]

export const hintsOf = (prompt: string): PromptHints => {
  const words = new Set(prompt.toLowerCase().match(/\p{L}+/gu))
  const mentions = (...wanted: ReadonlyArray<string>) =>
    wanted.some((word) => words.has(word) || words.has(`${word}s`) || words.has(`${word}es`))
  const first = <A>(table: ReadonlyArray<readonly [A, string]>) =>
    table.find(([, known]) => mentions(...known.split(" ")))?.[0]
  return {
    scene: first(sceneWords) ?? scenes[hashText(prompt) % scenes.length] ?? scenes[0],
    mood: first(moodWords),
    tint: first(tintWords),
    mentions
  }
}
