/**
 * Compares the CPU time of the gateway with that of a proxy that only passes bytes on. Both get the same load, one
 * after the other.
 */
import { Agent, request as send } from "node:http"
import { answer, ask, start } from "./process.ts"
import { type Spread, spreadOf } from "./statistics.ts"

interface Load {
  readonly title: string
  /** The path at the test server, which decides the server's reply. */
  readonly path: string
  readonly isStream: boolean
  /**
   * How the gateway sends a request. `once`: it passes the reply's bytes on. `durable`: it decodes the images and
   * stores the finished one.
   */
  readonly attempts: "once" | "durable"
  /** How many requests a round has. `atOnce` of them run at the same time. */
  readonly requests: number
  readonly atOnce: number
  readonly budget: number
}

const loads: ReadonlyArray<Load> = [
  {
    title: "streams of 4 images of 1.5 MB",
    path: "/stream/4/1500000/65536",
    isStream: true,
    attempts: "once",
    requests: 32,
    atOnce: 4,
    budget: 1.8
  },
  {
    title: "replies of 100 bytes",
    path: "/empty/100",
    isStream: false,
    attempts: "once",
    requests: 1000,
    atOnce: 16,
    budget: 6
  },
  {
    title: "durable: streams of 4 images of 1.5 MB",
    path: "/stream/4/1500000/65536",
    isStream: true,
    attempts: "durable",
    requests: 32,
    atOnce: 4,
    budget: 2.5
  }
]

export interface GatewayCpu extends Load {
  readonly ratio: Spread
  /** The gateway's CPU time for one request, in milliseconds. */
  readonly gatewayMillis: number
  readonly proxyMillis: number
  /** The peak of the gateway's resident memory, in bytes. */
  readonly memoryBytes: number
}

const agent = new Agent({ keepAlive: true })

const call = (url: string, isStream: boolean): Promise<void> =>
  new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", authorization: "Bearer caller" }
    const sent = send(url, { method: "POST", agent, headers }, (response) => {
      if (response.statusCode === 200) response.resume().once("end", resolve).once("error", reject)
      else reject(new Error(`${url}: ${response.statusCode}`))
    })
    sent.on("error", reject).end(JSON.stringify({ model: "bench", prompt: "A cute baby sea otter", stream: isStream }))
  })

const callAll = async (url: string, { atOnce, isStream, requests }: Load): Promise<void> => {
  let left = requests
  const caller = async () => {
    while (left-- > 0) await call(url, isStream)
  }
  await Promise.all(Array.from({ length: atOnce }, caller))
}

interface Millis {
  readonly gateway: number
  readonly proxy: number
}

interface Measured {
  readonly rounds: ReadonlyArray<Millis>
  readonly memoryBytes: number
}

/** Starts the gateway and the proxy, and measures the CPU time of a request in each, in milliseconds, in each round. */
const measurePair = async (load: Load, behind: string, rounds: number): Promise<Measured> => {
  // The Dockerfile sets this option of Node too.
  const gateway = start("./gatewayServer.ts", [behind, "1000000000", load.attempts], ["--max-semi-space-size=16"])
  const proxies = [gateway, start("./bareProxy.ts", [behind])]
  const urls = await Promise.all(proxies.map(answer))
  /** Runs a round with the gateway, then one with the proxy. */
  const round = async (): Promise<Millis> => {
    const times: Array<number> = []
    for (const [index, child] of proxies.entries()) {
      const before = Number(await ask(child, "cpu"))
      await callAll(String(urls[index]), load)
      times.push((Number(await ask(child, "cpu")) - before) / 1000 / load.requests)
    }
    const [ofGateway = Number.NaN, ofProxy = Number.NaN] = times
    return { gateway: ofGateway, proxy: ofProxy }
  }
  await round()
  await round()
  const measured: Array<Millis> = []
  while (measured.length < rounds) measured.push(await round())
  const memoryBytes = Number(await ask(gateway, 0))
  for (const child of proxies) child.disconnect()
  return { rounds: measured, memoryBytes }
}

/**
 * How many times the gateway and the proxy are started and measured. A process can be slower than another of the same
 * program for its whole life, because of how its memory is laid out. So a single start would give a biased ratio.
 */
const pairs = 3

const measure = async (load: Load, serverUrl: string, rounds: number): Promise<GatewayCpu> => {
  const measured: Array<Millis> = []
  let memoryBytes = 0
  for (let pair = 0; pair < pairs; pair++) {
    const one = await measurePair(load, `${serverUrl}${load.path}`, rounds / pairs)
    measured.push(...one.rounds)
    memoryBytes = Math.max(memoryBytes, one.memoryBytes)
  }
  return {
    ...load,
    ratio: spreadOf(measured.map(({ gateway, proxy }) => gateway / proxy)),
    gatewayMillis: spreadOf(measured.map(({ gateway }) => gateway)).median,
    proxyMillis: spreadOf(measured.map(({ proxy }) => proxy)).median,
    memoryBytes
  }
}

export const gatewayCpus = async (serverUrl: string, rounds: number): Promise<ReadonlyArray<GatewayCpu>> => {
  const measured: Array<GatewayCpu> = []
  for (const load of loads) measured.push(await measure(load, serverUrl, rounds))
  agent.destroy()
  return measured
}
