/**
 * The callers of the gateway, in their own process: `node gatewayLoad.ts <url of the gateway> <streams>`. When the
 * parent process sends a message, this process opens all streams and waits for their headers, sends requests that the
 * gateway must refuse, and then reads all streams. Then it sends one more request, which is over the caller's limit.
 */
import { Agent, request as send, type IncomingMessage, type OutgoingHttpHeaders } from "node:http"

export interface Load extends Count {
  readonly seconds: number
  /** The status of the reply to each request that the gateway must refuse, by the request's name. */
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
  /** The number of streams that did not end with `image_generation.completed`. */
  readonly broken: number
}

const read = async (response: IncomingMessage): Promise<Count> => {
  let bytes = 0
  let end = ""
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) throw new Error("A chunk of the reply is not a Buffer.")
    bytes += chunk.length
    // Only the last event of a complete stream has `usage`, and has it after the image.
    end = (end + chunk.subarray(-200).toString("latin1")).slice(-200)
  }
  const isComplete = response.statusCode === 200 && end.includes('"usage"') && end.endsWith("\n\n")
  return { bytes, broken: isComplete ? 0 : 1 }
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
  // This caller has now requested as many images as it may, so the gateway must refuse another request.
  refusals["a caller over the limit"] = await statusOf({})
  return { ...sum(counts), seconds: (performance.now() - start) / 1000, refusals }
}

process.on("message", () => {
  void run().then((load) => process.send?.(load))
})
process.on("disconnect", () => process.exit())
