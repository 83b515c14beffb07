/**
 * Counts the paid generations that one call causes if it fails. The server counts a generation for each request, like the
 * service, whether or not the client receives the reply.
 */
import { once } from "node:events"
import { createServer, type ServerResponse } from "node:http"
import { setTimeout } from "node:timers/promises"
import { contestantOf } from "./contestants.ts"

/** The failures, and how the server causes them. */
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
/** Without dots, which has no timeout: the first case would last until fetch fails after 300 s. */
const callers = ["ours", "oursOnFetch", "openai", "gradient"]

export interface Paid {
  readonly title: string
  /** The number of generations by the caller's id. */
  readonly generations: ReadonlyMap<string, number>
}

/** The number of generations that a call of this caller causes. */
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
  await setTimeout(timeoutMillis) // Waits for a request that was sent but has not arrived.
  server.closeAllConnections()
  server.close()
  return generations
}

/** Runs all cases and callers at once, because most of the time is spent waiting between attempts. */
export const countPaid = (): Promise<ReadonlyArray<Paid>> =>
  Promise.all(
    Object.entries(cases).map(async ([title, fault]) => ({
      title,
      generations: new Map(await Promise.all(callers.map(async (id) => [id, await count(id, fault)] as const)))
    }))
  )
