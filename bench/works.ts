/**
 * The works: what the server sends, and in which chunks. Sizes are in bytes; 1 MB is 1,000,000 bytes.
 */

export interface Work {
  readonly id: string
  readonly title: string
  /** `stream`: an event stream with one image per event. `json`: one JSON body with all images. */
  readonly kind: "stream" | "json"
  readonly images: number
  /** How many images a request asks for, if it differs from the number that arrives. */
  readonly asked?: number
  readonly imageBytes: number
  /** The size of the chunks of a stream, in HTTP's chunked coding. A JSON body has a content-length and no chunks. */
  readonly chunkBytes: number
  /**
   * How long the server waits between two chunks. Without a wait, the kernel joins small chunks before they are read. With
   * one, the server determines the total time, so the budget is for CPU time. The client is idle between chunks, so its
   * longest block is a garbage collection, if any.
   */
  readonly paceMicros: number
  /** How many of these requests are sent at once. */
  readonly requests: number
  /** The maximum for this library on undici, as a ratio to the limit. On fetch the maximum is `fetchBudget`. */
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

/** The maximum for this library on fetch in works with a budget, as a ratio to the limit. */
export const fetchBudget = 1.6

/** The maximum of the longest block in works with a budget and without a pace, as a ratio to the limit's. */
export const blockBudget = 2

/** Works with one image of growing size. The time must not grow faster than the size. */
export const growth: ReadonlyArray<Work> = [1, 4, 16, 64].map((size) => ({
  ...stream,
  id: `growth-${size}MB`,
  title: `Stream, 1 image of ${size} MB`,
  images: 1,
  imageBytes: size * MB
}))

/**
 * The maximum exponent p, if the time grows as size^p from the second size on. 1 is linear, and 0.15 allows for noise.
 */
export const growthBudget = 1.15

export const workOf = (id: string | undefined): Work => {
  const work = [...works, ...growth].find((candidate) => candidate.id === id)
  if (work === undefined) throw new Error(`unknown work: ${id}`)
  return work
}

/** The path of a work's requests. The server reads from it what to send. */
export const pathOf = ({ chunkBytes, imageBytes, images, kind, paceMicros }: Work): string =>
  `/${kind}/${images}/${imageBytes}/${chunkBytes}/${paceMicros}`
