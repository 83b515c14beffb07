/**
 * Counts the paid generations that one call causes when it goes wrong: the server counts a generation for each request,
 * as the service does, whether or not anyone receives it.
 */
import { once } from "node:events"
import { createServer, type ServerResponse } from "node:http"
import { setTimeout } from "node:timers/promises"
import { contestantOf } from "./contestant.ts"

/** What goes wrong, and how the server does it. */
const cases = {
  "the reply is slower than the client's timeout": () => {},
  "500 after the work": (response: ServerResponse) => {
    response.writeHead(500, { "content-type": "application/json" }).end('{"id":"server_error","message":"lost"}')
  },
  "reset before the head, after the work": (response: ServerResponse) => {
    response.socket?.resetAndDestroy()
  },
  "reset within the body": (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": 1000 })
    response.write('{"created":1790000000,"data":[{"b64_json":"AAAA', () => response.socket?.resetAndDestroy())
  }
} satisfies Record<string, (response: ServerResponse) => void>

const timeoutMillis = 150
/** Without dots: it has no timeout, so the first case would last until fetch gives up after 300 s. */
const callers = ["ours", "oursOnFetch", "openai", "gradient"]

export interface Paid {
  readonly title: string
  /** Of each caller, by its id. */
  readonly generations: ReadonlyMap<string, number>
}

/** How many generations one call of this caller costs. */
const count = async (caller: string, fault: (response: ServerResponse) => void): Promise<number> => {
  let generations = 0
  const server = createServer((request, response) => {
    generations++
    request.resume().once("end", () => fault(response))
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  const { make } = await contestantOf(caller).load()
  const client = make({ baseUrl: `http://127.0.0.1:${address.port}`, images: 1, timeoutMillis })
  const succeeded = await client.generate().then(
    () => true,
    () => false
  )
  if (succeeded) throw new Error(`${caller} got an image from a server that sends none`)
  await setTimeout(timeoutMillis) // A request that is on its way is counted.
  server.closeAllConnections()
  server.close()
  return generations
}

/** The cases, each with all callers at once: most of the time is waiting before the next attempt. */
export const countPaid = (): Promise<ReadonlyArray<Paid>> =>
  Promise.all(
    Object.entries(cases).map(async ([title, fault]) => ({
      title,
      generations: new Map(await Promise.all(callers.map(async (id) => [id, await count(id, fault)] as const)))
    }))
  )
