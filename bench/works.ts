/**
 * The works of the benchmark: what the server sends, and in which chunks. Sizes are in bytes; 1 MB is 1,000,000 bytes.
 */

export interface Work {
  readonly id: string
  readonly title: string
  /** `stream`: an event stream with one image per event. `json`: one JSON body with all images. */
  readonly kind: "stream" | "json"
  readonly images: number
  /** How many images a request asks for, if the server sends another number. */
  readonly asked?: number
  readonly imageBytes: number
  /** The maximum size of the chunks in which the server sends a stream, in bytes. A JSON body is sent in one piece. */
  readonly chunkBytes: number
  /**
   * How long the server waits after each chunk, in microseconds. Without a wait, the kernel can join small chunks
   * before the client reads them. With a wait, the server determines the total time, so the budget is for CPU time, and
   * the client's longest block is a garbage collection, if there is one.
   */
  readonly paceMicros: number
  /** How many requests of this work are sent at once. */
  readonly requests: number
  /**
   * The maximum of this library's time on undici, divided by the time of the limit. It is CPU time if `paceMicros` is
   * above 0. On fetch the maximum is `fetchBudget`.
   */
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
    title: "JSON body, 10 images of 1.5 MB in reply to a request for 1",
    images: 10,
    asked: 1,
    budget: 1.5
  },
  { ...in4KiB, id: "stream-4KiB", title: "Stream, 4 images of 1.5 MB in chunks of 4 KiB" },
  { ...in1400B, id: "stream-1400B", title: "Stream, 4 images of 1.5 MB in chunks of 1,400 bytes" },
  {
    ...in4KiB,
    id: "stream-4KiB-paced",
    title: "Stream, 4 images of 1.5 MB in chunks of 4 KiB, with a pause after each chunk",
    paceMicros: 25
  },
  {
    ...in1400B,
    id: "stream-1400B-paced",
    title: "Stream, 4 images of 1.5 MB in chunks of 1,400 bytes, with a pause after each chunk",
    paceMicros: 25
  },
  {
    ...json,
    id: "small",
    title: "JSON body, 64 requests at once, each for an image of 12 KB",
    imageBytes: 12_000,
    requests: 64,
    budget: 2
  }
]

/** The maximum of this library's time on fetch, divided by the time of the limit, in works that have a `budget`. */
export const fetchBudget = 1.6

/**
 * The maximum of this library's longest block, divided by that of the limit, in works that have a `budget` and no pause
 * between chunks.
 */
export const blockBudget = 2

/** Works with one image each, of growing size. This library's time must grow about linearly with the size. */
export const growth: ReadonlyArray<Work> = [1, 4, 16, 64].map((size) => ({
  ...stream,
  id: `growth-${size}MB`,
  title: `Stream, 1 image of ${size} MB`,
  images: 1,
  imageBytes: size * MB
}))

/**
 * The maximum of the exponent p, if the time grows as size^p from the second size on. 1 is linear, and 0.15 is for
 * noise in the measurement.
 */
export const growthBudget = 1.15

export const workOf = (id: string | undefined): Work => {
  const work = [...works, ...growth].find((candidate) => candidate.id === id)
  if (work === undefined) throw new Error(`unknown work: ${id}`)
  return work
}

/** The URL path of the requests of a work. From the path, the test server knows which reply to send. */
export const pathOf = ({ chunkBytes, imageBytes, images, kind, paceMicros }: Work): string =>
  `/${kind}/${images}/${imageBytes}/${chunkBytes}/${paceMicros}`
