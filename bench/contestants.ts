/**
 * The contestants: the clients that the benchmark compares. Except for the limit and the floors, which only read and
 * drop the reply, each one does what its users would do, and decodes every image to a `Uint8Array`.
 */
import type { MakeClient } from "./MakeClient.ts"

interface Contestant {
  /** The name of the contestant's file in `contestants/`. */
  readonly id: string
  readonly title: string
  /** The title in the results of works with a JSON body, if it is another one. */
  readonly jsonTitle?: string
  readonly load: () => Promise<{ readonly make: MakeClient }>
}

/**
 * All contestants. The first one is the limit: code that only reads the reply and drops it, which all others are
 * compared with. The next two use this library.
 */
export const contestants: ReadonlyArray<Contestant> = [
  { id: "limit", title: "the limit: fetch, read and drop", load: () => import("./contestants/limit.ts") },
  { id: "ours", title: "**ours, on undici**", load: () => import("./contestants/ours.ts") },
  { id: "oursOnFetch", title: "**ours, on fetch**", load: () => import("./contestants/oursOnFetch.ts") },
  {
    id: "floorOnUndici",
    title: "Effect's HttpClient on undici, read and drop",
    load: () => import("./contestants/floorOnUndici.ts")
  },
  {
    id: "floorOnFetch",
    title: "Effect's HttpClient on fetch, read and drop",
    load: () => import("./contestants/floorOnFetch.ts")
  },
  {
    id: "eventsourceParser",
    title: "eventsource-parser, JSON.parse",
    jsonTitle: "fetch, JSON.parse",
    load: () => import("./contestants/eventsourceParser.ts")
  },
  {
    id: "effectSse",
    title: "Effect's Sse, Schema",
    jsonTitle: "Effect's HttpClient, Schema",
    load: () => import("./contestants/effectSse.ts")
  },
  { id: "openai", title: "openai", load: () => import("./contestants/openai.ts") },
  { id: "dots", title: "@digitalocean/dots", load: () => import("./contestants/dots.ts") },
  { id: "gradient", title: "@digitalocean/gradient", load: () => import("./contestants/gradient.ts") }
]

export const contestantOf = (id: string | undefined): Contestant => {
  const contestant = contestants.find((candidate) => candidate.id === id)
  if (contestant === undefined) throw new Error(`There is no contestant with the id ${id}`)
  return contestant
}
