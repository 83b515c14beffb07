import { DurableImages } from "@effect-gradient/durable"
import { Console, Effect, Stream } from "effect"

/**
 * Lists at most `limit` generations in doubt, which may have been paid for and lost. For each of them, it allows one more
 * request, which may be paid for again. It stops with a `ConflictError` at a generation whose images are found in the store,
 * or which is no longer in doubt.
 */
export const repeatDoubts = (limit: number) =>
  DurableImages.list({ status: "in-doubt", limit }).pipe(
    Stream.tap(({ attempt, key, note, sentAt }) => Console.log(key, attempt, note, sentAt.toString())),
    Stream.runForEach(({ attempt, key }) =>
      key === undefined ? Effect.void : DurableImages.resolve(key, { attempt, as: "repeat" })
    )
  )
