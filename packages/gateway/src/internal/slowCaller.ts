/**
 * Frees the memory of a reply whose caller reads too slowly. The images of a request that is under way in this process
 * are in memory, and would stay there for as long as the caller does not read them. When the request is done, the store
 * has them too, so the caller can ask again with the same id.
 */
import { GradientError, ImageGenerateResponse, ImageGenStreamEvent } from "@effect-gradient/core"
import type * as Arr from "effect/Array"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Reply } from "../Attempts.ts"

type Failure = GradientError.GradientError
type Bytes = Stream.Stream<Uint8Array, Failure>

const tooSlow = GradientError.fromReason(new GradientError.DisconnectedError({ reached: "Accepted" }))

/** A reply in the wire format. */
export type EncodedReply = Extract<Reply, { _tag: "Json" | "EventStream" }>

/**
 * Emits the bytes. If the consumer takes longer than `limit` between two pieces, `scope` may be closed and the bytes
 * freed; after twice `limit`, they are. The next pull then fails. The consumer keeps a reference to the returned
 * stream, so that stream refers to the bytes only through `held` and `pull`.
 */
const freed = (bytes: Bytes, scope: Scope.Closeable, limit: Duration.Input): Bytes => {
  let held: Bytes | undefined = bytes
  return Stream.unwrap(
    Effect.gen(function* () {
      let pull: Pull.Pull<Arr.NonEmptyReadonlyArray<Uint8Array>, Failure> | undefined =
        held && (yield* Scope.provide(Stream.toPull(held), scope))
      held = undefined
      /** What the consumer got last. `undefined` while the consumer waits for more. */
      let given: Arr.NonEmptyReadonlyArray<Uint8Array> | undefined
      const free = Effect.suspend(() => {
        pull = undefined
        return Scope.close(scope, Exit.void)
      })
      const isStuck = Effect.gen(function* () {
        const before = given
        yield* Effect.sleep(limit)
        return before !== undefined && before === given
      })
      yield* Effect.forkScoped(Effect.andThen(Effect.repeat(isStuck, { until: (is) => is }), free))
      const next = Effect.suspend(() => {
        given = undefined
        return pull ?? Effect.fail(tooSlow)
      })
      const keep = (chunks: Arr.NonEmptyReadonlyArray<Uint8Array>) =>
        Effect.sync(() => {
          given = chunks
        })
      return Stream.fromPull(Effect.succeed(Effect.tap(next, keep)))
    })
  )
}

/**
 * Runs the attempt, and encodes its reply. If the reply has decoded images, they are freed if the caller takes too long
 * to read a piece: see `freed`.
 */
export const encoded = Effect.fnUntraced(function* (
  attempt: Effect.Effect<Reply, Failure, Scope.Scope>,
  limit: Duration.Input
) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const reply = yield* Scope.provide(attempt, scope)
  switch (reply._tag) {
    case "Json":
    case "EventStream":
      return reply
    case "Response": {
      const { bytes, length } = ImageGenerateResponse.toJsonPieces(reply.response)
      return { _tag: "Json", bytes: freed(bytes, scope, limit), length: String(length) } satisfies EncodedReply
    }
    case "Events": {
      const bytes = Stream.flatMap(reply.events, (event) => ImageGenStreamEvent.toServerSentEventPieces(event).bytes)
      return { _tag: "EventStream", bytes: freed(bytes, scope, limit) } satisfies EncodedReply
    }
  }
})
