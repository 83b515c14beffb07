/**
 * Who runs: each does what its user would, and ends with the bytes of every image in a `Uint8Array`.
 */

/** A client of one endpoint. Each function gives the sum of what came in bytes: so that nothing is left out unseen. */
export interface Client {
  /** Reads the events of a stream, and drops each image. */
  readonly stream: () => Promise<number>
  /** Reads a JSON body. */
  readonly generate: () => Promise<number>
}

export interface Endpoint {
  /** Up to `/images/generations`. */
  readonly baseUrl: string
  /** How many images a request asks for. */
  readonly images: number
  /** The client's own timeout, where it has one and the default is not wanted. */
  readonly timeoutMillis?: number
}

export type MakeClient = (endpoint: Endpoint) => Client

interface Contestant {
  /** Also the name of its file. */
  readonly id: string
  readonly title: string
  /** What it uses for a JSON body, where that has another name. */
  readonly jsonTitle?: string
  readonly load: () => Promise<{ readonly make: MakeClient }>
}

/** The first is the limit, the second ours. */
export const contestants: ReadonlyArray<Contestant> = [
  { id: "limit", title: "the limit: fetch, read and drop", load: () => import("./contestants/limit.ts") },
  { id: "ours", title: "**ours, on undici**", load: () => import("./contestants/ours.ts") },
  { id: "oursOnFetch", title: "**ours, on fetch**", load: () => import("./contestants/oursOnFetch.ts") },
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
  if (contestant === undefined) throw new Error(`no contestant is named ${id}`)
  return contestant
}
