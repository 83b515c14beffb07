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

const measure = async (load: Load, serverUrl: string, rounds: number): Promise<GatewayCpu> => {
  const behind = `${serverUrl}${load.path}`
  const proxies = [
    // The Dockerfile sets this option of Node too.
    start("./gatewayServer.ts", [behind, "1000000000", load.attempts], ["--max-semi-space-size=16"]),
    start("./bareProxy.ts", [behind])
  ]
  const urls = await Promise.all(proxies.map(answer))
  /**
   * Runs a round with the gateway, then one with the proxy. Returns the CPU time of a request in each, in milliseconds.
   */
  const round = async () => {
    const times: Array<number> = []
    for (const [index, child] of proxies.entries()) {
      const before = Number(await ask(child, "cpu"))
      await callAll(String(urls[index]), load)
      times.push((Number(await ask(child, "cpu")) - before) / 1000 / load.requests)
    }
    const [gateway = Number.NaN, proxy = Number.NaN] = times
    return { gateway, proxy }
  }
  await round()
  await round()
  const measured: Array<Awaited<ReturnType<typeof round>>> = []
  while (measured.length < rounds) measured.push(await round())
  for (const child of proxies) child.disconnect()
  return {
    ...load,
    ratio: spreadOf(measured.map(({ gateway, proxy }) => gateway / proxy)),
    gatewayMillis: spreadOf(measured.map(({ gateway }) => gateway)).median,
    proxyMillis: spreadOf(measured.map(({ proxy }) => proxy)).median
  }
}

export const gatewayCpus = async (serverUrl: string, rounds: number): Promise<ReadonlyArray<GatewayCpu>> => {
  const measured: Array<GatewayCpu> = []
  for (const load of loads) measured.push(await measure(load, serverUrl, rounds))
  agent.destroy()
  return measured
}
