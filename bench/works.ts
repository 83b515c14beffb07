/**
 * The works: what the server sends and how it comes. Sizes are in bytes; 1 MB is a million.
 */

export interface Work {
  readonly id: string
  readonly title: string
  /** A stream of events with an image each, or one JSON body with all the images. */
  readonly kind: "stream" | "json"
  readonly images: number
  /** How many images a request asks for, if that is not how many come. */
  readonly asked?: number
  readonly imageBytes: number
  /** The chunks of HTTP's chunked coding that a stream comes in. JSON comes with its length, in whatever is read. */
  readonly chunkBytes: number
  /**
   * How long the server waits between two chunks: small ones that are written at once are mostly read at once, by the
   * kernel's grace. Time is then the server's own, so that it is the CPU time that the budget is for; and the process is
   * idle between chunks, so that its longest block is a garbage collection or nothing.
   */
  readonly paceMicros: number
  /** How many of these requests are sent at once. */
  readonly requests: number
  /** The most that ours may take on undici, as a ratio to the limit. On fetch it may take `fetchBudget`. */
  readonly budget?: number
}

const MB = 1_000_000
const KiB = 1024

const stream = {
  kind: "stream",
  images: 4,
  imageBytes: 1.5 * MB,
  chunkBytes: 64 * KiB,
  paceMicros: 0,
  requests: 1
} as const
const in4KiB = { ...stream, chunkBytes: 4 * KiB, budget: 2 } as const
const in1400B = { ...stream, chunkBytes: 1400, budget: 2 } as const
const json = { ...stream, kind: "json", images: 1 } as const

export const works: ReadonlyArray<Work> = [
  { ...stream, id: "stream", title: "Stream, 4 images of 1.5 MB", budget: 1.4 },
  { ...stream, id: "stream-12MB", title: "Stream, 4 images of 12 MB", imageBytes: 12 * MB, budget: 1.4 },
  { ...json, id: "json", title: "JSON body, 1 image of 1.5 MB" },
  { ...json, id: "json-10", title: "JSON body, 10 images of 1.5 MB", images: 10, budget: 1.2 },
  {
    ...json,
    id: "json-10-of-1",
    title: "JSON body, 10 images of 1.5 MB where 1 was asked for",
    images: 10,
    asked: 1,
    budget: 1.5
  },
  { ...in4KiB, id: "stream-4KiB", title: "Stream, 4 images of 1.5 MB in chunks of 4 KiB" },
  { ...in1400B, id: "stream-1400B", title: "Stream, 4 images of 1.5 MB in chunks of 1,400 bytes" },
  {
    ...in4KiB,
    id: "stream-4KiB-paced",
    title: "Stream, 4 images of 1.5 MB in chunks of 4 KiB, one at a time",
    paceMicros: 25
  },
  {
    ...in1400B,
    id: "stream-1400B-paced",
    title: "Stream, 4 images of 1.5 MB in chunks of 1,400 bytes, one at a time",
    paceMicros: 25
  },
  {
    ...json,
    id: "small",
    title: "JSON body, 64 requests at once, an image of 12 KB each",
    imageBytes: 12_000,
    requests: 64,
    budget: 2
  }
]

/** The most that ours may take on fetch in any work with a budget, as a ratio to the limit. */
export const fetchBudget = 1.6

/** What the longest block of the event loop may be in any work with a budget and without a pace, as a ratio to the limit's. */
export const blockBudget = 2

/** One image, larger each time: the time must grow no faster than the bytes. */
export const growth: ReadonlyArray<Work> = [1, 4, 16, 64].map((size) => ({
  ...stream,
  id: `growth-${size}MB`,
  title: `Stream, 1 image of ${size} MB`,
  images: 1,
  imageBytes: size * MB
}))

/** The time may grow with the size to this power, from the second size on; 1 is linear, the rest is for noise. */
export const growthBudget = 1.15

export const workOf = (id: string | undefined): Work => {
  const work = [...works, ...growth].find((candidate) => candidate.id === id)
  if (work === undefined) throw new Error(`no work is named ${id}`)
  return work
}

/** The server reads from the path what to send. */
export const pathOf = ({ chunkBytes, imageBytes, images, kind, paceMicros }: Work): string =>
  `/${kind}/${images}/${imageBytes}/${chunkBytes}/${paceMicros}`
