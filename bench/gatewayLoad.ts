/**
 * The callers, a process of their own: `node gatewayLoad.ts <url of the gateway> <streams>`. When told to, opens all streams,
 * waits until each is answered, has requests refused meanwhile, then reads all streams to their ends.
 */
import { Agent, request as send, type IncomingMessage, type OutgoingHttpHeaders } from "node:http"

/** What the callers saw. */
export interface Load extends Count {
  readonly seconds: number
  /** The status of each request that was to be refused. */
  readonly refusals: Readonly<Record<string, number>>
}

const [, , url = "", streams] = process.argv
const agent = new Agent({ keepAlive: false, maxSockets: Infinity })

interface Call {
  readonly headers?: OutgoingHttpHeaders
  readonly params?: object
}

const call = ({ headers, params }: Call = {}): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const all = { "content-type": "application/json", authorization: "Bearer caller", ...headers }
    const body = { model: "bench", prompt: "A cute baby sea otter", stream: true, ...params }
    send(url, { method: "POST", agent, headers: all }, resolve).on("error", reject).end(JSON.stringify(body))
  })

interface Count {
  readonly bytes: number
  /** Streams that did not end with `image_generation.completed`. */
  readonly broken: number
}

const read = async (response: IncomingMessage): Promise<Count> => {
  let bytes = 0
  let end = ""
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) throw new Error("chunks are bytes")
    bytes += chunk.length
    // The usage of the last event stands after its picture.
    end = (end + chunk.subarray(-200).toString("latin1")).slice(-200)
  }
  const isWhole = response.statusCode === 200 && end.includes('"usage"') && end.endsWith("\n\n")
  return { bytes, broken: isWhole ? 0 : 1 }
}

const sum = (counts: ReadonlyArray<Count>): Count => ({
  bytes: counts.reduce((total, { bytes }) => total + bytes, 0),
  broken: counts.reduce((total, { broken }) => total + broken, 0)
})

const refused: Readonly<Record<string, Call>> = {
  "no credentials": { headers: { authorization: "" } },
  "wrong credentials": { headers: { authorization: "Bearer wrong" } },
  "a foreign origin": { headers: { origin: "https://evil.example" } },
  "a body too large": { params: { prompt: "x".repeat(20_000) } },
  "a param not allowed": { params: { model: "other" } }
}

const statusOf = async (options: Call): Promise<number> => {
  const response = await call(options)
  response.resume()
  return response.statusCode ?? 0
}

const run = async (): Promise<Load> => {
  const start = performance.now()
  const open = await Promise.all(Array.from({ length: Number(streams) }, () => call()))
  const refusals: Record<string, number> = {}
  for (const [name, options] of Object.entries(refused)) refusals[name] = await statusOf(options)
  const counts = await Promise.all(open.map(read))
  // By now the caller has had as many images as the gateway allows.
  refusals["a caller over the limit"] = await statusOf({})
  return { ...sum(counts), seconds: (performance.now() - start) / 1000, refusals }
}

process.on("message", () => {
  void run().then((load) => process.send?.(load))
})
process.on("disconnect", () => process.exit())
