/**
 * Reads the reply to a call. `readResponse` and `readStream` accept both JSON and an event stream, because servers may
 * send either.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as GradientError from "../../GradientError.ts"
import * as Reply from "./decodeReply.ts"
import { openReply, type OpenReply } from "./openReply.ts"
import type { IncomingReply } from "./readBody.ts"
import { type Events, pullEvents, readCompleted } from "./readEvents.ts"
import { readJson, reasonOfText } from "./readJson.ts"

export type { IncomingReply } from "./readBody.ts"
export type { Events } from "./readEvents.ts"

type Reason = GradientError.GradientErrorReason

/** Reads the reply to `generate`. The `Completed` events of an event stream are converted to a response. */
export const readResponse = (incoming: IncomingReply) =>
  Effect.flatMap(openReply(incoming), (reply) => {
    switch (reply.form) {
      case "json":
        return readJson(incoming, reply)
      case "events":
        return readCompleted(incoming, reply)
      case "text":
        return Effect.fail(reasonOfText(incoming, reply))
      case "empty":
        return Effect.fail(Reply.invalidReply(incoming.head, "the reply is empty"))
    }
  })

/**
 * Reads the reply to `generateStream`. Each pull returns the next events. A JSON reply is converted to `Completed`
 * events.
 */
export const readStream = (incoming: IncomingReply) =>
  Effect.flatMap(openReply(incoming), (reply) => streamOf(incoming, reply))

const streamOf = (incoming: IncomingReply, reply: OpenReply): Effect.Effect<Pull.Pull<Events, Reason>, Reason> => {
  switch (reply.form) {
    case "json":
      return Effect.map(readJson(incoming, reply), (response) => once(Reply.completedOf(response)))
    case "events":
      return Effect.sync(() => pullEvents(incoming, reply))
    case "text":
      return Effect.fail(reasonOfText(incoming, reply))
    case "empty":
      return Effect.fail(new GradientError.IncompleteStreamError(incoming.head.fields))
  }
}

/** A pull that returns these events once, then ends. */
const once = (events: Events): Pull.Pull<Events, Reason> => {
  let isPulled = false
  return Effect.suspend((): Pull.Pull<Events, Reason> => {
    if (isPulled) return Cause.done()
    isPulled = true
    return Effect.succeed(events)
  })
}
