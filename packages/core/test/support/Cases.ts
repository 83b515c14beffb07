/**
 * Random replies as text on the wire. They vary in the order of members, escapes, line endings, cuts and content types.
 * Metadata can have wrong types, and some members only look like images.
 */
import fc from "fast-check"

/** A random number generator that is fast to make, because each case makes new ones from seeds. */
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

/** How often a text contains unnecessary escapes and white space. */
interface Manner {
  /** On average, one of this many characters is escaped. 0: no character is escaped. */
  readonly escapes: number
  /** On average, white space is added in one of this many places. 0: in no place. */
  readonly spaces: number
}

const mannerOf = ({ pick }: Dice): Manner => ({ escapes: pick(0, 0, 2, 5, 50), spaces: pick(0, 0, 2, 20, 200) })

const hex = (character: string, { oneIn }: Dice) => {
  const digits = character.charCodeAt(0).toString(16).padStart(4, "0")
  return `\\u${oneIn(2) ? digits : digits.toUpperCase()}`
}

/** Writes a text as a JSON string, which can have unnecessary escapes. */
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

/** A random image, as a JSON string of valid base64. It can be empty. The library must refuse an empty image. */
const image = (chance: Dice): string => {
  const { below, oneIn, pick } = chance
  return imageOf(Buffer.alloc(below(pick(4, 20, 20, 60, 200, oneIn(6) ? 9000 : 40))), chance)
}

const imageOf = (bytes: Buffer, chance: Dice): string => {
  const { below, oneIn, pick } = chance
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

/** A JSON value that is not an image and must not be decoded as one, even if it contains the name `b64_json`. */
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

/** A JSON value that is not a string, for a member that should be a string. */
const strange = ({ pick }: Dice) => pick("7", "{}", "[]", "true", '["png"]', '{"value":"png"}')

/** A time as JSON, in one of the forms that the library accepts, or invalid. */
const time = ({ oneIn, pick }: Dice) =>
  oneIn(2)
    ? "1760000000"
    : pick(
        "1760000000123",
        '"1760000000"',
        '"2025-10-09T08:53:20Z"',
        "-1",
        '"now"',
        '""',
        "1e300",
        "{}",
        "null",
        "true"
      )

const usage = ({ oneIn, pick }: Dice) =>
  oneIn(2)
    ? '{"input_tokens":1,"total_tokens":3,"output_tokens":null}'
    : pick(
        "{}",
        '"free"',
        "[1]",
        '{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}',
        '{"input_tokens":"1","total_tokens":"4"}',
        '{"input_tokens":1,"total_tokens":5,"output_tokens":{},"input_tokens_details":"none"}'
      )

/** Optional members of a reply, and unknown ones. Each can be present, null, of a wrong type, or absent. */
const settings = (chance: Dice): ReadonlyArray<readonly [string, string]> => {
  const always = (key: string, value: () => string): ReadonlyArray<readonly [string, string]> =>
    chance.oneIn(3) ? [[key, chance.oneIn(4) ? "null" : value()]] : []
  const maybe = (key: string, value: () => string) => always(key, () => (chance.oneIn(6) ? strange(chance) : value()))
  return [
    ...maybe("background", () => string("opaque", chance)),
    ...maybe("output_format", () => string("webp", chance)),
    ...maybe("quality", () => string("né/w 🦦", chance)),
    ...maybe("size", () => string("1024x1024", chance)),
    ...always("usage", () => usage(chance)),
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

/** The lines of random events, comments or other fields, without line endings. There may be none. */
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
  const number = oneIn(4) ? pick('"2"', "0.5", "-1", "null", "{}", '"third"') : String(chance.below(4))
  const index: readonly [string, string] = ["partial_image_index", number]
  const kind = chance.below(16)
  if (kind < 6) return pictured("image_generation.partial_image", [index, ["created_at", time(chance)]])
  if (kind < 8) {
    const prompt = oneIn(6) ? strange(chance) : string("an otter", chance)
    return pictured("image_generation.completed", [["revised_prompt", prompt]])
  }
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

/** A random event stream: `linesOf` this many times, each followed by a blank line. */
const eventStream = (seed: number, events: number): Buffer => {
  const chance = dice(seed)
  const end = chance.pick("\n", "\r", "\r\n", undefined)
  const lines = Array.from({ length: events }, () => [...linesOf(chance), ""]).flat()
  const text = lines.map((line) => line + (end ?? chance.pick("\n", "\n", "\r\n", "\r"))).join("")
  return Buffer.from(chance.oneIn(8) ? `\uFEFF${text}` : text)
}

/** A random JSON reply with this many images. */
const response = (seed: number, images: number): Buffer => {
  const chance = dice(seed)
  const item = () => {
    const prompt: ReadonlyArray<readonly [string, string]> = chance.oneIn(2)
      ? [["revised_prompt", chance.oneIn(6) ? strange(chance) : '"an otter"']]
      : []
    const more = settings(chance).filter(([key]) => key !== "usage")
    return object([["b64_json", image(chance)], ...prompt, ...more], chance)
  }
  const data = `[${Array.from({ length: images }, item).join(chance.pick(",", " ,\n"))}]`
  const text = object(
    [...(chance.oneIn(9) ? [] : [["created", time(chance)] as const]), ["data", data], ...settings(chance)],
    chance
  )
  return Buffer.from(`${chance.pick("", "", " \n", "\uFEFF")}${text}${chance.pick("", "\n")}`)
}

/** How the bytes of a reply arrive: cut into pieces of random length, up to `longest` bytes. */
export interface Arrival {
  readonly seed: number
  readonly longest: number
  /** Whether the pieces arrive one by one through a web Response. If not, up to 50 pieces arrive together. */
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

/** A copy of the bytes in which some are changed, removed, repeated, inserted or cut off. */
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

/** Texts to insert in wrong places. Most have a meaning in JSON or in an event stream. */
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

const contentType = fc.constantFrom(
  undefined,
  "application/json",
  "text/event-stream",
  "text/event-stream; charset=utf-8",
  "text/html",
  "application/octet-stream",
  "nonsense"
)

/** Random event streams, each with a content type and the way in which its bytes arrive. */
export const eventStreams = fc.record({
  bytes: fc.tuple(seed, fc.nat(5)).map(([from, events]) => eventStream(from, events)),
  arrival,
  contentType
})

/** Random JSON replies, each with a content type and the way in which its bytes arrive. */
export const responses = fc.record({
  bytes: fc.tuple(seed, fc.integer({ min: 1, max: 3 })).map(([from, images]) => response(from, images)),
  arrival,
  contentType
})

/** The given cases, with the bytes of each reply damaged. */
export const damaged = (cases: typeof eventStreams): typeof eventStreams =>
  fc.tuple(cases, seed).map(([given, from]) => ({ ...given, bytes: damage(given.bytes, from) }))

/** A random image: its JSON string, and its bytes as hex digits. */
const picture = (chance: Dice) => {
  const bytes = Buffer.alloc(4 + chance.below(40))
  const literal = imageOf(bytes, chance)
  return { literal, hex: bytes.toString("hex") }
}

/**
 * Cuts the text of a reply at random after its last image, so that no image is lost. In half of the cases it is not
 * cut.
 */
const cutAfter = (text: string, literal: string, { below, oneIn }: Dice) => {
  const end = text.lastIndexOf(literal) + literal.length
  return oneIn(2) ? text : text.slice(0, end + below(text.length - end + 1))
}

/**
 * An event stream with these images. Before each image, there can be an event or a comment that must not make the
 * library lose an image. The stream can end with an error, a damaged event or `[DONE]`.
 */
const paidStream = (chance: Dice, pictures: ReadonlyArray<string>): string => {
  const { oneIn, pick } = chance
  const event = (type: string, members: ReadonlyArray<readonly [string, string]>) => {
    const data = object([...members, ["type", `"${type}"`]], chance)
    const name = oneIn(3) ? [] : [`event: ${pick(type, type, "message", "later")}`]
    return [...name, ...data.split("\n").map((line) => `data: ${line}`), "", ""].join("\n")
  }
  const between = () =>
    pick(
      "",
      "",
      ": ping\n\n",
      "event: ping\ndata: {oops\n\n",
      'event: image_generation.partial_image\ndata: {"b64_json":"AAAA\n\n',
      'data: {"type":"later","b64_json":"?"}\n\n',
      event("image_generation.partial_image", [["b64_json", pick('""', '"?"', "7", "null", '"AAA="', '"AAAAA"')]]),
      event("image_generation.partial_image", [["url", '"https://images.example/1"']]),
      event("image_generation.completed", [[pick("url", "b64_json"), '""']]),
      event("image_generation.completed", [["url", '"https://images.example/2"']])
    )
  const all = pictures.map(
    (literal) => between() + event("image_generation.completed", [["b64_json", literal], ...settings(chance)])
  )
  return all.join("") + pick("", "", "data: [DONE]\n\n", "data: {oops\n\n", `data: ${pick(...errors)}\n\n`, "junk")
}

/**
 * A JSON reply with these images. Among them can be items without an image, and the reply can have an error. These must
 * not make the library lose an image.
 */
const paidResponse = (chance: Dice, pictures: ReadonlyArray<string>): string => {
  const { oneIn, pick } = chance
  const between = () =>
    oneIn(4)
      ? [pick("7", "null", "{}", '{"b64_json":""}', '{"b64_json":"?\\""}', '{"url":"u"}', '{"b64_json":null,"url":7}')]
      : []
  const items = pictures.flatMap((literal) => [
    ...between(),
    object([["b64_json", literal], ...settings(chance)], chance),
    ...between()
  ])
  const error = oneIn(5) ? [["error", pick("{}", "null", '{"message":"no"}', '"no"')] as const] : []
  const created = oneIn(2) ? [["created", time(chance)] as const] : []
  return object([["data", `[${items.join(",")}]`], ...settings(chance), ...error, ...created], chance)
}

const paidReply = (from: number, count: number) => {
  const chance = dice(from)
  const pictures = Array.from({ length: count }, () => picture(chance))
  const literals = pictures.map(({ literal }) => literal)
  const text = chance.pick(paidStream, paidResponse)(chance, literals)
  const cutText = cutAfter(text, literals.at(-1) ?? "", chance)
  const start = chance.pick("", "", "\uFEFF", " \r\n", "\n\n\n")
  return { bytes: Buffer.from(start + cutText), pictures: pictures.map(({ hex: bytes }) => bytes) }
}

/** Random replies, as event stream or as JSON, complete or cut after the last image. Each is given with its images. */
export const paidReplies = fc
  .tuple(fc.tuple(seed, fc.integer({ min: 1, max: 4 })), arrival, contentType)
  .map(([[from, count], how, type]) => ({ ...paidReply(from, count), arrival: how, contentType: type }))
