/**
 * Tests the gateway under load:
 * `node bench/gateway.ts [--streams 500] [--images 4] [--sizes 150000,1500000] [--rounds 3]`.
 *
 * The upstream server, the gateway and its callers are three processes on loopback. In each round, and for each image
 * size in turn, a new gateway serves all streams at once, and refuses some requests.
 *
 * Prints the gateway's peaks of resident memory, and the peak with the last size divided by that with the first
 * (medians of the rounds). Exits with 1 if a stream broke, a request that the gateway must refuse had an unexpected
 * status, the ratio is above 1.2, or the test takes longer than 5 minutes.
 */
import { parseArgs } from "node:util"
import type { Load } from "./gatewayLoad.ts"
import { answer, ask, start } from "./process.ts"
import { spreadOf } from "./statistics.ts"

const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "500" },
    images: { type: "string", default: "4" },
    sizes: { type: "string", default: "150000,1500000" },
    rounds: { type: "string", default: "3" }
  }
})

const expected: Load["refusals"] = {
  "no credentials": 401,
  "wrong credentials": 401,
  "a foreign origin": 403,
  "a body too large": 413,
  "a param not allowed": 400,
  "a caller over the limit": 429
}

const isLoad = (value: unknown): value is Load => typeof value === "object" && value !== null && "refusals" in value

setTimeout(() => {
  console.error("The load test did not end within 5 minutes.")
  process.exit(1)
}, 300_000).unref()

const server = start("./server.ts")
const serverUrl = String(await answer(server))

const sizes = values.sizes.split(",").map(Number)

/**
 * Runs the load on a new gateway, with images of this size in bytes. Returns the results of the callers and the
 * gateway's peak of memory.
 */
const measure = async (imageBytes: number) => {
  const upstream = `${serverUrl}/stream/${values.images}/${imageBytes}/65536`
  const gateway = start("./gatewayServer.ts", [upstream, values.streams])
  const callers = start("./gatewayLoad.ts", [String(await answer(gateway)), values.streams])
  const load = await ask(callers, 1)
  if (!isLoad(load)) throw new Error(`The callers sent no results of the load: ${JSON.stringify(load)}`)
  const peakBytes = Number(await ask(gateway, 1))
  callers.disconnect()
  gateway.disconnect()
  return { ...load, imageBytes, peakBytes }
}

const megabytes = (bytes: number) => `${bytes / 1e6 < 10 ? (bytes / 1e6).toFixed(2) : (bytes / 1e6).toFixed(0)} MB`

const peaks = new Map(sizes.map((size): [number, Array<number>] => [size, []]))
let isGood = true
for (const size of Array.from({ length: Number(values.rounds) }, () => sizes).flat()) {
  const { broken, bytes, imageBytes, peakBytes, refusals, seconds } = await measure(size)
  peaks.get(size)?.push(peakBytes)
  const wrong = Object.entries(expected).filter(([name, status]) => refusals[name] !== status)
  isGood &&= broken === 0 && wrong.length === 0
  console.log(
    `${values.streams} streams of ${values.images} images of ${megabytes(imageBytes)}: the callers received ` +
      `${megabytes(bytes)} in ${seconds.toFixed(1)} s, ${broken} broken, gateway peak ${megabytes(peakBytes)}`
  )
  console.log(
    `  refused: ${Object.entries(refusals)
      .map(([name, status]) => `${name} ${status}`)
      .join(", ")}`
  )
}
server.disconnect()

const medians = [...peaks.values()].map((peaksOfSize) => spreadOf(peaksOfSize).median)
const ratio = (medians.at(-1) ?? 0) / (medians[0] ?? 0)
console.log(
  `peak memory with the last size of images, divided by that with the first: ${ratio.toFixed(2)} (at most 1.2)`
)
process.exitCode = isGood && ratio <= 1.2 ? 0 : 1
