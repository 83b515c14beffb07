/**
 * Requests to the gateway's web handler, with the responses that are expected. The requests are sent on every runtime
 * except Chromium, so this file uses only web APIs. The gateway's upstream is `upstream.ts`, which chooses its reply by
 * the prompt.
 */

export type Handler = (request: Request) => Promise<Response>

export interface Row {
  readonly name: string
  readonly isRight: boolean
  /** The status and the start of the body. For `leave`, how many responses of the upstream are still open. */
  readonly received: string
}

interface RequestOptions {
  readonly prompt?: string
  readonly stream?: boolean
  readonly method?: string
  readonly headers?: Record<string, string | undefined>
  readonly body?: string | undefined
  readonly signal?: AbortSignal
}

export const key = "a-key-of-the-gateway"

const request = ({
  body,
  headers,
  method = "POST",
  prompt = "json",
  signal,
  stream = false
}: RequestOptions): Request => {
  const all = { "content-type": "application/json", authorization: `Bearer ${key}`, ...headers }
  const sent = new Headers()
  for (const [name, value] of Object.entries(all)) if (value !== undefined) sent.set(name, value)
  return new Request("http://gateway.example/v1/images/generations", {
    method,
    headers: sent,
    ...(method === "GET" ? {} : { body: body ?? JSON.stringify({ prompt, stream }) }),
    ...(signal === undefined ? {} : { signal })
  })
}

interface Case extends RequestOptions {
  readonly name: string
  readonly status: number | ReadonlyArray<number>
  /** A text that the body must contain. Use `broken` for a body that must break off. */
  readonly includes: string
}

const id = { "x-attempt-id": "00112233445566778899aabbccddeeff" }

const cases: ReadonlyArray<Case> = [
  { name: "JSON", status: 200, includes: '"b64_json":"aVZCT1J3"' },
  { name: "a stream", prompt: "events", stream: true, status: 200, includes: "image_generation.completed" },
  { name: "a slow stream", prompt: "slow", stream: true, status: 200, includes: ": keep-alive" },
  { name: "no key", headers: { authorization: undefined }, status: 401, includes: "invalid_api_key" },
  { name: "a wrong key", headers: { authorization: "Bearer x" }, status: 401, includes: "invalid_api_key" },
  {
    name: "a foreign origin",
    headers: { origin: "https://evil.example" },
    status: 403,
    includes: "origin_not_allowed"
  },
  { name: "a param that is not allowed", body: '{"prompt":"x","n":3}', status: 400, includes: "invalid_value" },
  { name: "no JSON", body: "{", status: 400, includes: "invalid_value" },
  { name: "a body too large", body: `{"prompt":"${"x".repeat(600_000)}"}`, status: 413, includes: "larger than" },
  { name: "a compressed body", headers: { "content-encoding": "gzip" }, status: 415, includes: "gzip" },
  { name: "another method", method: "GET", status: 405, includes: "POST" },
  { name: "an attempt id", headers: id, status: 200, includes: "b64_json" },
  { name: "the same attempt id again", headers: id, status: 409, includes: "duplicate_attempt" },
  { name: "a busy service", prompt: "busy", status: 429, includes: "rate_limit_exceeded" },
  { name: "a service that fails", prompt: "fail", status: 502, includes: "server_error" },
  { name: "a connection that breaks before the headers", prompt: "break", status: 502, includes: "server_error" },
  { name: "a stream that breaks between events", prompt: "cut", stream: true, status: 200, includes: "event: error" },
  { name: "a stream that breaks within an event", prompt: "half", stream: true, status: 200, includes: "broken" }
]

const textOf = (response: Response) => response.text().catch(() => "broken")

const runCase = async (handler: Handler, { includes, name, status, ...options }: Case): Promise<Row> => {
  const response = await handler(request(options))
  const text = await textOf(response)
  const isRight = [status].flat().includes(response.status) && text.includes(includes)
  return { name, isRight, received: `${response.status} ${text.slice(0, 200)}` }
}

/** Requests a stream and leaves it. Then checks that the gateway has closed its connection to the upstream. */
const leave = async (handler: Handler, upstream: string): Promise<Row> => {
  const name = "a caller that leaves"
  const response = await handler(request({ prompt: "endless", stream: true }))
  const reader = response.body?.getReader()
  await reader?.read()
  await reader?.cancel()
  let open = ""
  for (let i = 0; i < 100 && open !== "0"; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    open = await (await fetch(`${upstream}/open`)).text()
  }
  return { name, isRight: open === "0", received: `${open} open` }
}

export const runCases = async (handler: Handler, upstream: string): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  for (const each of cases) rows.push(await runCase(handler, each))
  rows.push(await leave(handler, upstream))
  return rows
}
