/**
 * Replies at random, as text on the wire: any order of members, any escape, any line ending, any cut, with decoys that
 * look like images and are none.
 */
import fc from "fast-check"

/** A small generator of numbers: a case is one seed, so millions of them are cheap to make. */
const dice = (seed: number) => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const below = (limit: number) => next() % limit
  const oneIn = (chances: number) => below(chances) === 0
  const pick = <A>(first: A, ...others: ReadonlyArray<A>): A => others[below(others.length + 1) - 1] ?? first
  return { below, oneIn, pick }
}

type Dice = ReturnType<typeof dice>

const shuffled = <A>(items: ReadonlyArray<A>, { below }: Dice): ReadonlyArray<A> =>
  items
    .map((item) => ({ item, at: below(1000) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)

/** How freely a text is written. */
interface Manner {
  /** One character in so many is escaped; 0: none. */
  readonly escapes: number
  /** White space stands in one place of so many; 0: nowhere. */
  readonly spaces: number
}

const mannerOf = ({ pick }: Dice): Manner => ({ escapes: pick(0, 0, 2, 5, 50), spaces: pick(0, 0, 2, 20, 200) })

const hex = (character: string, { oneIn }: Dice) => {
  const digits = character.charCodeAt(0).toString(16).padStart(4, "0")
  return `\\u${oneIn(2) ? digits : digits.toUpperCase()}`
}

/** A JSON string, with escapes where none are needed. */
const quoted = (text: string, manner: Manner, chance: Dice): string => {
  const body = JSON.stringify(text).slice(1, -1)
  if (manner.escapes === 0 || body.includes("\\")) return `"${body}"`
  const escaped = Array.from({ length: body.length }, (_, at) => {
    const character = body.charAt(at)
    if (!chance.oneIn(manner.escapes)) return character
    return character === "/" && chance.oneIn(2) ? "\\/" : hex(character, chance)
  })
  return `"${escaped.join("")}"`
}

/** An image as a JSON string that the rule of base64 accepts. */
const image = (chance: Dice): string => {
  const { below, oneIn, pick } = chance
  const bytes = Buffer.alloc(below(pick(4, 20, 20, 60, 200, oneIn(6) ? 9000 : 40)))
  for (let at = 0; at < bytes.length; at++) bytes[at] = below(256)
  const manner = mannerOf(chance)
  const padded = bytes.toString("base64")
  const text = oneIn(3) ? padded.replaceAll("=", "") : padded
  let written = ""
  for (const character of text) {
    const isSpaced = manner.spaces > 0 && oneIn(manner.spaces)
    if (isSpaced) written += pick(" ", "\\n", "\\r", "\\t", "\\f", "\\u0020", "\\u000A")
    if (manner.escapes === 0 || !oneIn(manner.escapes)) written += character
    else written += character === "/" ? "\\/" : hex(character, chance)
  }
  return `"${written}"`
}

/** A value that no image may be taken from. */
const decoy = ({ below, pick }: Dice): string =>
  pick(
    "null",
    "true",
    String(below(1e9)),
    "-1.5e3",
    '""',
    '"🦦 née"',
    '"\\"b64_json\\":\\"AAAA\\""',
    '"\\\\"',
    '"data: {\\u0022b64_json\\u0022:"',
    '{"b64_json":"no base64, and deeper"}',
    '[{"b64_json":"%"},"b64_json",[]]',
    '{"data":[{"b64_json":"?"}],"type":"image_generation.completed"}',
    '[[[["b64_json"]]]]',
    "{}"
  )

const object = (members: ReadonlyArray<readonly [string, string]>, chance: Dice): string => {
  const manner = mannerOf(chance)
  const space = () =>
    manner.spaces > 0 && chance.oneIn(manner.spaces) ? chance.pick(" ", "\t", "\n", "  ", "\n\n", " \n ") : ""
  const written = shuffled(members, chance).map(
    ([key, value]) => `${space()}${quoted(key, manner, chance)}${space()}:${space()}${value}${space()}`
  )
  return `{${written.join(",") || space()}}`
}

const string = (text: string, chance: Dice) => quoted(text, mannerOf(chance), chance)

/** Members that may be there, be null, or not be. */
const settings = (chance: Dice): ReadonlyArray<readonly [string, string]> => {
  const maybe = (key: string, value: () => string): ReadonlyArray<readonly [string, string]> =>
    chance.oneIn(3) ? [[key, chance.oneIn(4) ? "null" : value()]] : []
  return [
    ...maybe("background", () => string("opaque", chance)),
    ...maybe("output_format", () => string("webp", chance)),
    ...maybe("quality", () => string("né/w 🦦", chance)),
    ...maybe("size", () => string("1024x1024", chance)),
    ...maybe("usage", () => '{"input_tokens":1,"total_tokens":3,"output_tokens":null}'),
    ...maybe(chance.pick("extra", "b64", "datum", "B64_JSON", "b64_json "), () => decoy(chance)),
    ...maybe(chance.pick("nested", "items"), () => decoy(chance))
  ]
}

const errors = [
  '{"error":{"message":"no","code":"moderation_blocked"}}',
  '{"error":{"message":"no","type":"rate_limit_exceeded","code":null}}',
  '{"b64_json":null,"error":{"message":"no"}}',
  '{"type":"error","message":"no"}'
] as const

/** The lines of one event, without their ends. */
const linesOf = (chance: Dice): ReadonlyArray<string> => {
  const { oneIn, pick } = chance
  const field = (name: string, value: string) => `${name}:${oneIn(4) ? "" : " "}${value}`
  const data = (json: string) => json.split("\n").map((line) => field("data", line))
  const pictured = (type: string, more: ReadonlyArray<readonly [string, string]>) => {
    const named = pick("both", "both", "name", "type", "message")
    const members = [["b64_json", image(chance)], ...more, ...settings(chance)] as const
    const typed = named === "name" ? members : ([...members, ["type", string(type, chance)]] as const)
    const name = named === "type" ? [] : [field("event", named === "message" ? "message" : type)]
    return [...name, ...data(object(typed, chance))]
  }
  const index: readonly [string, string] = ["partial_image_index", String(chance.below(4))]
  const kind = chance.below(16)
  if (kind < 6) return pictured("image_generation.partial_image", [index, ["created_at", "1760000000"]])
  if (kind < 8) return pictured("image_generation.completed", [["revised_prompt", string("an otter", chance)]])
  switch (kind) {
    case 8:
      return [field("event", pick("ping", "response.created", "image_edit.completed")), field("data", decoy(chance))]
    case 9:
      return [
        field(
          "data",
          object(
            [
              ["type", string("later.invention", chance)],
              ["b64_json", pick("null", "true", "{}", "[1]")],
              ...settings(chance)
            ],
            chance
          )
        )
      ]
    case 10:
      return [": ping", ":", `:${decoy(chance)}`]
    case 11:
      return [field("retry", "3000"), field("id", "7"), "data", "unheard: of", "junk"]
    case 12:
      return oneIn(3) ? data("[DONE]") : []
    case 13:
      return oneIn(3) ? [...(oneIn(2) ? ["event: error"] : []), ...data(pick(...errors))] : [""]
    case 14:
      return ["event: ping", "event:", ...pictured("image_generation.partial_image", [index])]
    default:
      return [field("data", pick("", " ", `{"nested":${decoy(chance)}}`))]
  }
}

/** An event stream. */
const eventStream = (seed: number, events: number): Buffer => {
  const chance = dice(seed)
  const end = chance.pick("\n", "\r", "\r\n", undefined)
  const lines = Array.from({ length: events }, () => [...linesOf(chance), ""]).flat()
  const text = lines.map((line) => line + (end ?? chance.pick("\n", "\n", "\r\n", "\r"))).join("")
  return Buffer.from(chance.oneIn(8) ? `\uFEFF${text}` : text)
}

/** A reply as JSON. */
const response = (seed: number, images: number): Buffer => {
  const chance = dice(seed)
  const item = () => {
    const prompt: ReadonlyArray<readonly [string, string]> = chance.oneIn(2) ? [["revised_prompt", '"an otter"']] : []
    const more = settings(chance).filter(([key]) => key !== "usage")
    return object([["b64_json", image(chance)], ...prompt, ...more], chance)
  }
  const data = `[${Array.from({ length: images }, item).join(chance.pick(",", " ,\n"))}]`
  const text = object([["created", "1760000000"], ["data", data], ...settings(chance)], chance)
  return Buffer.from(`${chance.pick("", "", " \n", "\uFEFF")}${text}${chance.pick("", "\n")}`)
}

/** How bytes arrive: cut into pieces of up to so many bytes, and so many pieces at once. */
export interface Arrival {
  readonly seed: number
  readonly longest: number
  /** Through a web Response, piece by piece; else a few pieces at once. */
  readonly web: boolean
}

export const cut = (bytes: Uint8Array, { longest, seed }: Arrival): ReadonlyArray<Uint8Array> => {
  const { below } = dice(seed)
  const pieces: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length;) {
    const length = 1 + below(longest)
    pieces.push(bytes.slice(at, at + length))
    at += length
  }
  return pieces
}

/** The bytes with some of them flipped, taken out, doubled, put in, or cut off. */
const damage = (bytes: Buffer, seed: number): Buffer => {
  const { below, oneIn, pick } = dice(seed)
  let damaged = bytes
  do {
    const at = below(damaged.length + 1)
    const [before, after] = [damaged.subarray(0, at), damaged.subarray(at)]
    const some = 1 + below(pick(1, 8, 200))
    damaged = pick(
      () => before,
      () => Buffer.concat([before, Buffer.from([below(256)]), after.subarray(1)]),
      () => Buffer.concat([before, Buffer.from(pick(...telling)), after]),
      () => Buffer.concat([before, after.subarray(some)]),
      () => Buffer.concat([before, after.subarray(0, some), after])
    )()
  } while (oneIn(2))
  return damaged
}

/** What means something where it does not belong. */
const telling = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "\n",
  "\r",
  "\n\n",
  "=",
  "0",
  "e0",
  ".0",
  "null",
  "-",
  "\\u",
  " ",
  "\xff"
] as const

const seed = fc.nat(0xffffffff)
const arrival: fc.Arbitrary<Arrival> = fc.record({
  seed,
  longest: fc.constantFrom(1, 3, 20, 64, 1000, 1_000_000),
  web: fc.nat(31).map((roll) => roll === 1)
})

/** An event stream and how it arrives. */
export const eventStreams = fc.record({
  bytes: fc.tuple(seed, fc.nat(5)).map(([from, events]) => eventStream(from, events)),
  arrival
})

/** A JSON reply and how it arrives. */
export const responses = fc.record({
  bytes: fc.tuple(seed, fc.integer({ min: 1, max: 3 })).map(([from, images]) => response(from, images)),
  arrival
})

/** The same, damaged. */
export const damaged = (cases: typeof eventStreams): typeof eventStreams =>
  fc.tuple(cases, seed).map(([{ arrival: how, bytes }, from]) => ({ bytes: damage(bytes, from), arrival: how }))
