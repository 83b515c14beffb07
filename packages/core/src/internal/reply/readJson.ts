/**
 * Reads a reply as JSON.
 */
import * as Effect from "effect/Effect"
import type * as GradientError from "../../GradientError.ts"
import * as Reply from "./decodeReply.ts"
import { ImageJsonParser } from "./ImageJsonParser.ts"
import type { OpenReply } from "./openReply.ts"
import { type IncomingReply, pullUntil, watched } from "./readBody.ts"
import type { Activity } from "./readTimeouts.ts"

type Reason = GradientError.GradientErrorReason

declare const TextDecoder: new () => { decode(bytes: Uint8Array, options?: { readonly stream: boolean }): string }

/** An estimate of the size of each image in bytes, from the length of the body. 0 if the length is unknown. */
const expectedBytes = ({ n, response }: IncomingReply): number => {
  const length = Number(response.headers["content-length"])
  return Number.isSafeInteger(length) ? Math.ceil((length * 3) / 4 / n) : 0
}

/** Reads a response. It is complete when its JSON value is closed, even if the connection stays open. */
export const readJson = Effect.fnUntraced(function* (incoming: IncomingReply, reply: OpenReply) {
  const { head, limits } = incoming
  const parser = new ImageJsonParser(limits, expectedBytes(incoming))
  const images = () => Reply.bareImages(parser.images)
  const take = (chunks: ReadonlyArray<Uint8Array>) => {
    for (const chunk of chunks) parser.write(chunk, 0, false)
    return parser.closed || parser.problem !== undefined ? true : undefined
  }
  if (take(reply.start) === undefined) {
    yield* watched(incoming, (activity: Activity) => pullUntil(reply.pull, activity, take), images)
  }
  const extracted = parser.finish()
  if (parser.problem !== undefined) return yield* Effect.fail(Reply.invalidReply(head, parser.problem, images()))
  if (!parser.closed) {
    return yield* Effect.fail(
      Reply.invalidReply(head, extracted.flaw ?? "the reply ends before its JSON is closed", images())
    )
  }
  incoming.onWhole()
  const { unreadable, value } = yield* Effect.fromResult(Reply.responseOf(extracted, head))
  yield* Effect.forEach(Reply.noteUnreadable(unreadable), (note) => Effect.logDebug(note))
  return value
})

/** The reason for a reply that is neither a JSON object nor an event stream. */
export const reasonOfText = ({ head }: IncomingReply, { start }: OpenReply): Reason => {
  const decoder = new TextDecoder()
  const text = start.map((chunk) => decoder.decode(chunk.subarray(0, longestText), { stream: true })).join("")
  return Reply.notAnObject(head, text)
}

/** Only this many bytes of each chunk are decoded, because the description shows only the start of the text. */
const longestText = 65_536
