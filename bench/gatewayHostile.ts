/**
 * Measures what a hostile caller can cost a durable gateway. Each case is one row of the report. A case throws if the
 * gateway's replies are not the expected ones.
 */
import { randomUUID } from "node:crypto"
import { Agent, type ClientRequest, type IncomingMessage, request as send } from "node:http"
import { answer, ask, start } from "./process.ts"

export interface Hostility {
  readonly title: string
  readonly requests: number
  readonly answers: string
  /** The gateway's CPU time for one request, in milliseconds. */
  readonly cpuMillis: number
  /**
   * How many bytes of memory the gateway uses after the replies, less what it used before. Slow readers are still
   * connected then; other requests have ended. Both are measured after a garbage collection.
   */
  readonly memoryBytes: number
}

interface Ask {
  readonly key?: "caller" | "hostile"
  readonly id?: string
  readonly method?: "GET" | "POST"
  readonly isStream?: boolean
}

const agent = new Agent({ keepAlive: true, maxSockets: Infinity })

/**
 * Opens a request: sends its headers and calls `finish`, which may send and end the body. The promise resolves with the
 * response as soon as its headers arrive.
 */
const open = (
  url: string,
  { id = "", isStream = true, key = "hostile", method = "GET" }: Ask,
  finish: (request: ClientRequest) => void = (request) => request.end()
) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    const accept = isStream ? "text/event-stream" : "application/json"
    const headers = { "content-type": "application/json", authorization: `Bearer ${key}`, accept }
    const isPost = method === "POST"
    const sent = send(isPost ? url : `${url}/${id}`, {
      method,
      agent,
      headers: isPost ? { ...headers, "x-attempt-id": id } : headers
    })
    sent.on("response", resolve).on("error", reject)
    finish(sent)
  })

const body = JSON.stringify({ model: "bench", prompt: "A cute baby sea otter", stream: true })
const generate = (url: string, id: string, key: "caller" | "hostile") =>
  open(url, { id, key, method: "POST" }, (request) => request.end(body))

const drop = async (response: IncomingMessage): Promise<number> => {
  let bytes = 0
  for await (const chunk of response) bytes += Buffer.isBuffer(chunk) ? chunk.length : 0
  return bytes
}

/**
 * Calls `each` with every index below `count`, at most `atOnce` calls at a time. Returns how often each result
 * occurred.
 */
const countEach = async (count: number, atOnce: number, each: (index: number) => Promise<string | number>) => {
  const counts = new Map<string | number, number>()
  let next = 0
  const worker = async () => {
    while (next < count) {
      const result = await each(next++)
      counts.set(result, (counts.get(result) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker))
  return [...counts].map(([result, times]) => `${result} (${times})`).join(", ")
}

const expectAll = (title: string, answers: string, expected: string): string => {
  if (answers !== expected) throw new Error(`${title}: the replies are ${answers}, not ${expected}`)
  return answers.replace(/ \(\d+\)$/, "")
}

const gatewayTo = async (upstream: string) => {
  const child = start("./gatewayServer.ts", [upstream, "1000000000", "durable"], ["--expose-gc"])
  return { child, url: String(await answer(child)) }
}

export const hostilities = async (serverUrl: string, ids: number): Promise<ReadonlyArray<Hostility>> => {
  const { child, url } = await gatewayTo(`${serverUrl}/stream/1/1500000/65536`)
  const rows: Array<Hostility> = []

  /** A gateway to a service whose streams take 2 s each. */
  const paced = await gatewayTo(`${serverUrl}/stream/1/1500000/85000/85000`)

  /**
   * Measures a case. `run` returns the gateway's replies, and `finish`, which is called after the memory was measured.
   */
  const measure = async (
    title: string,
    requests: number,
    expected: string,
    run: () => Promise<{ readonly answers: string; readonly finish?: () => Promise<unknown> }>,
    slow = child
  ) => {
    const [memory, cpu] = [Number(await ask(slow, "memory")), Number(await ask(slow, "cpu"))]
    const { answers, finish } = await run()
    const memoryBytes = Number(await ask(slow, "memory")) - memory
    await finish?.()
    const cpuMillis = (Number(await ask(slow, "cpu")) - cpu) / 1000 / requests
    rows.push({
      title,
      requests,
      answers: expectAll(title, answers, `${expected} (${requests})`),
      cpuMillis,
      memoryBytes
    })
  }

  const statusOf = async (asked: Promise<IncomingMessage>) => {
    const response = await asked
    await drop(response)
    return response.statusCode ?? 0
  }

  const mine = randomUUID()
  const size = await drop(await generate(url, mine, "caller"))
  await countEach(2000, 32, () => statusOf(open(url, { id: randomUUID(), isStream: false }))) // Warms up.

  await measure("another caller's id", 2000, "404", async () => ({
    answers: await countEach(2000, 32, () => statusOf(open(url, { id: mine, isStream: false })))
  }))
  await measure("ids that nobody sent", ids, "404", async () => ({
    answers: await countEach(ids, 32, () => statusOf(open(url, { id: randomUUID(), isStream: false })))
  }))
  for (const readers of [10, 1000]) {
    const id = randomUUID()
    const joinAll = async () => {
      const first = generate(paced.url, id, "caller")
      await first.then((response) => response.resume())
      const answers = await countEach(readers, readers, async () => {
        const response = await open(paced.url, { id, key: "caller" })
        return response.statusCode === 200 ? `${await completedBytes(response)} bytes` : (response.statusCode ?? 0)
      })
      return { answers }
    }
    await measure("requests that join one running generation", readers, `${size} bytes`, joinAll, paced.child)
  }
  for (const readers of [10, 900]) {
    await measure("slow readers of one stored image", readers, "200", async () => {
      const responses: Array<IncomingMessage> = []
      const answers = await countEach(readers, 50, async () => {
        const response = await open(url, { id: mine, key: "caller" })
        responses.push(response.pause())
        return response.statusCode ?? 0
      })
      return { answers, finish: async () => responses.map((response) => response.destroy()) }
    })
  }
  /** Measures readers that each request the stored reply to an id of their own, and do not read it. */
  const slowReaders = async (title: string, gateway: typeof paced, readers: number) => {
    const all = Array.from({ length: readers }, () => randomUUID())
    await countEach(readers, 10, (index) => generate(gateway.url, all[index] ?? "", "hostile").then(drop))
    const run = async () => {
      const responses: Array<IncomingMessage> = []
      const answers = await countEach(readers, 10, async (index) => {
        const response = await open(gateway.url, { id: all[index] ?? "" })
        responses.push(response.pause())
        return response.statusCode ?? 0
      })
      return { answers, finish: async () => responses.map((response) => response.destroy()) }
    }
    await measure(title, readers, "200", run, gateway.child)
  }
  for (const readers of [10, 100]) {
    await slowReaders("slow readers, each with an id of its own", { child, url }, readers)
  }
  const large = await gatewayTo(`${serverUrl}/stream/1/12000000/65536`)
  for (const readers of [5, 25]) {
    await slowReaders("slow readers, each with an id of its own, of images of 12 MB", large, readers)
  }
  await measure("bodies without an end", 200, "413", async () => ({
    answers: await countEach(200, 50, () =>
      statusOf(
        open(url, { id: randomUUID(), method: "POST" }, (request) => {
          const write = () => !request.destroyed && request.write(" ".repeat(16_384)) && setImmediate(write)
          request.on("drain", write).on("error", () => undefined)
          write()
        })
      )
    )
  }))
  await measure("bodies that stop arriving", 200, "408", async () => ({
    answers: await countEach(200, 200, () =>
      statusOf(open(url, { id: randomUUID(), method: "POST" }, (request) => request.write("{")))
    )
  }))
  child.disconnect()
  paced.child.disconnect()
  large.child.disconnect()
  agent.destroy()
  return rows
}

/**
 * The number of bytes from the event `image_generation.completed` on. Comments and partial images before this event do
 * not count.
 */
const completedBytes = async (response: IncomingMessage): Promise<number> => {
  let bytes = 0
  let isFound = false
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue
    const at = isFound ? 0 : chunk.indexOf("event: image_generation.completed")
    if (at < 0) continue
    isFound = true
    bytes += chunk.length - at
  }
  return bytes
}
