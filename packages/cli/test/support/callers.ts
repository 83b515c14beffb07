/**
 * Callers of durable gateways. When the connection of a caller breaks, the caller asks one of the gateways again, until
 * it has its image.
 */
import { randomUUID } from "node:crypto"

/** Returns a function that returns random numbers from 0 to 1. The same seed gives the same numbers. */
export const randomOf = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

export interface Callers {
  /** The addresses that callers use now. */
  readonly urls: () => ReadonlyArray<string>
  readonly random: () => number
  /**
   * The maximum number of connections of each caller that are cut within `cutWithinMillis`. Any later connection is cut
   * after a minute.
   */
  readonly cuts: number
  readonly cutWithinMillis: number
}

/** The image that a caller got, and what happened to its connections. */
export interface Received {
  readonly prompt: string
  /** The image in base64. */
  readonly picture: string
  readonly cuts: number
  /** How many requests got status 503 or no complete response, although the caller did not cut the connection. */
  readonly broken: number
}

/** The params that all callers send besides their prompts. */
export const wanted = { size: "256x256", stream: true, partial_images: 1 }

/** Returns the final image of an event stream, in base64. */
export const pictureIn = (text: string): string | undefined =>
  /event: image_generation\.completed\ndata: .*?"b64_json":"([^"]+)".*\n\n/.exec(text)?.[1]

/** The connection broke or the gateway is stopping: the caller asks again. */
const again = "again"
/**
 * The gateway does not know the request, because the connection was cut before the request arrived: the caller sends it
 * again.
 */
const unknown = "unknown"

/** Reads the response to one request. Returns the image, or what the caller must do. */
const once = async (request: Promise<Response>): Promise<{ picture: string } | typeof again | typeof unknown> => {
  const response = await request
  const text = await response.text()
  if (response.status === 404) return unknown
  if (response.status === 503) return again
  const picture = pictureIn(text)
  if (picture !== undefined) return { picture }
  // An event stream that was cut off has no final image, and the caller asks again. An error event is a failure of the
  // test.
  if (response.status === 200 && !text.includes("event: error")) return again
  throw new Error(`${response.status} ${text.slice(0, 300)}`)
}

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

/** Runs one caller until it has its image. */
export const receive = async (prompt: string, { cuts, cutWithinMillis, random, urls }: Callers): Promise<Received> => {
  const headers = { authorization: "Bearer alice", accept: "text/event-stream" }
  const id = randomUUID()
  let [cutsMade, broken] = [0, 0]
  let isAsked = false
  for (;;) {
    const known = urls()
    const url = `${known[Math.floor(random() * known.length)]}/images/generations`
    const cut = new AbortController()
    const isCut = cutsMade < cuts
    const timer = setTimeout(() => cut.abort(), isCut ? random() * cutWithinMillis : 60_000)
    const { signal } = cut
    const ask = () =>
      isAsked
        ? fetch(`${url}/${id}`, { headers, signal })
        : fetch(url, {
            method: "POST",
            headers: { ...headers, "content-type": "application/json", "x-attempt-id": id },
            body: JSON.stringify({ ...wanted, prompt }),
            signal
          })
    const outcome = await once(ask()).catch((error: unknown) => {
      if (error instanceof TypeError || signal.aborted) return again
      throw error
    })
    clearTimeout(timer)
    if (typeof outcome === "object") return { prompt, picture: outcome.picture, cuts: cutsMade, broken }
    if (signal.aborted) cutsMade++
    else if (outcome === again) broken++
    isAsked = outcome !== unknown
    if (!signal.aborted) await pause(20)
    if (broken > 500) throw new Error(`${prompt}: no gateway answers`)
  }
}
