/**
 * Counts how many generations are paid for when one call fails, if each request that the server receives is charged
 * for, whether or not the client receives the reply.
 */
import { once } from "node:events"
import { createServer, type ServerResponse } from "node:http"
import { setTimeout } from "node:timers/promises"
import { contestantOf } from "./contestants.ts"

/** The failures. Each function makes the server's reply fail in that way. */
const cases = {
  "no reply within the client's timeout": () => {},
  "500 after the work": (response: ServerResponse) => {
    response.writeHead(500, { "content-type": "application/json" }).end('{"id":"server_error","message":"lost"}')
  },
  "reset before the headers, after the work": (response: ServerResponse) => {
    response.socket?.resetAndDestroy()
  },
  "reset within the body": (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": 1000 })
    response.write('{"created":1790000000,"data":[{"b64_json":"AAAA', () => response.socket?.resetAndDestroy())
  }
} satisfies Record<string, (response: ServerResponse) => void>

const timeoutMillis = 150
/**
 * The clients that make the calls. `@digitalocean/dots` is left out because it has no timeout: it would wait for a
 * reply until fetch fails after 300 s.
 */
const callers = ["ours", "oursOnFetch", "openai", "gradient"]

export interface Paid {
  readonly title: string
  /** The number of paid generations, by the id of the client that made the call. */
  readonly generations: ReadonlyMap<string, number>
}

/** Makes one call with this client against a server with this fault, and returns the number of paid generations. */
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
  await setTimeout(timeoutMillis) // Waits for a request that the client has sent and that has not arrived yet.
  server.closeAllConnections()
  server.close()
  return generations
}

/** Runs all cases with all clients at the same time, because they mostly wait between attempts. */
export const countPaid = (): Promise<ReadonlyArray<Paid>> =>
  Promise.all(
    Object.entries(cases).map(async ([title, fault]) => ({
      title,
      generations: new Map(await Promise.all(callers.map(async (id) => [id, await count(id, fault)] as const)))
    }))
  )
