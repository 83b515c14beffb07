import { DurableImages } from "@effect-gradient/durable"
import { Console, Effect, Stream } from "effect"

/** Lists what may have been paid for and lost, and lets at most `limit` of them be paid for again. */
export const repeatDoubts = (limit: number) =>
  DurableImages.list({ status: "in-doubt", limit }).pipe(
    Stream.tap(({ attempt, key, note, sentAt }) => Console.log(key, attempt, note, sentAt.toString())),
    Stream.runForEach(({ attempt, key }) =>
      key === undefined ? Effect.void : DurableImages.resolve(key, { attempt, as: "repeat" })
    )
  )
