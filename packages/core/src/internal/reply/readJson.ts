/**
 * Reads a reply as JSON.
 */
import * as Effect from "effect/Effect"
import type * as GradientError from "../../GradientError.ts"
import * as Reply from "./decodeReply.ts"
import { ImageJsonParser } from "./ImageJsonParser.ts"
import { type OpenReply, pullUntil, type Reading, watched } from "./openReply.ts"
import type { Activity } from "./readTimeouts.ts"

type Reason = GradientError.GradientErrorReason

declare const TextDecoder: new () => { decode(bytes: Uint8Array, options?: { readonly stream: boolean }): string }

/** A guess at the size of each image. */
const expectedBytes = ({ n, response }: Reading): number => {
  const length = Number(response.headers["content-length"])
  return Number.isSafeInteger(length) ? Math.ceil((length * 3) / 4 / n) : 0
}

/** Whether this many bytes are the whole body. It cannot be known if the transport decoded the body. */
const isWhole = ({ response: { headers } }: Reading, received: number): boolean =>
  headers["content-encoding"] === undefined && headers["content-length"] === String(received)

/** Reads a response. It is complete as soon as its JSON value is closed, and not before. */
export const readJson = Effect.fnUntraced(function* (reading: Reading, reply: OpenReply) {
  const { head, limits } = reading
  const parser = new ImageJsonParser(limits, expectedBytes(reading))
  const images = () => Reply.bareImages(parser.images)
  let received = 0
  const take = (chunks: ReadonlyArray<Uint8Array>) => {
    for (const chunk of chunks) {
      received += chunk.length
      parser.write(chunk, 0, false)
    }
    return parser.closed || parser.problem !== undefined ? true : undefined
  }
  if (take(reply.start) === undefined) {
    yield* watched(reading, (activity: Activity) => pullUntil(reply.pull, activity, take), images)
  }
  const lifted = parser.finish()
  if (parser.problem !== undefined) return yield* Effect.fail(Reply.invalidReply(head, parser.problem, images()))
  if (!parser.closed) {
    return yield* Effect.fail(Reply.invalidReply(head, lifted.flaw ?? "it ends before its JSON is closed", images()))
  }
  if (isWhole(reading, received)) reading.onWhole()
  const { unreadable, value } = yield* Effect.fromResult(Reply.responseOf(lifted, head))
  yield* Effect.forEach(Reply.noteUnreadable(unreadable), (note) => Effect.logDebug(note))
  return value
})

/** The reason of a reply that is neither a JSON object nor an event stream. */
export const readText = ({ head }: Reading, { start }: OpenReply): Reason => {
  const decoder = new TextDecoder()
  const text = start.map((chunk) => decoder.decode(chunk.subarray(0, longestText), { stream: true })).join("")
  return Reply.notAnObject(head, text)
}

/** More of one chunk is not decoded. */
const longestText = 65_536
