/**
 * Passes an event stream on as it comes, chunk by chunk, without decoding it. Only where its lines end is followed, so
 * that a comment can be put between them while nothing comes, and a failure can be told as an event.
 */
import type * as Arr from "effect/Array"
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"

type Chunks = Arr.NonEmptyReadonlyArray<Uint8Array>

const comment = new TextEncoder().encode(": keep-alive\n")

/** The last characters that were passed on: enough to tell the end of a line and of an event. */
class Tail {
  private text = "\n\n"

  follow(chunks: Chunks): void {
    for (const chunk of chunks) this.text = (this.text + String.fromCharCode(...chunk.subarray(-4))).slice(-4)
  }

  /** A CR may be the first half of a CRLF, so only LF counts. */
  get isLineEnd(): boolean {
    return this.text.endsWith("\n")
  }

  get isEventEnd(): boolean {
    return /\n\r?\n$/.test(this.text)
  }
}

export interface RelayOptions<E> {
  /** After how long a silence a comment is sent. */
  readonly keepAlive: Duration.Input
  /** The event that tells a failure. */
  readonly toEvent: (error: E) => Uint8Array
}

/**
 * The stream with comments in its silences. A failure between two events becomes an event; one within an event fails,
 * which cuts the connection: half an event cannot be taken back.
 */
export const relay = <E>(
  source: Stream.Stream<Uint8Array, E>,
  { keepAlive, toEvent }: RelayOptions<E>
): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    const tail = new Tail()
    const relayed = Stream.transformPull(source, (pull, scope) => {
      /** A read that outlasts a silence goes on: it is not lost with the wait for it. */
      let pending: Fiber.Fiber<Chunks, E | Cause.Done> | undefined
      const next: Pull.Pull<Chunks, E> = Effect.gen(function* () {
        pending ??= yield* Effect.forkIn(pull, scope, { startImmediately: true })
        const exit = pending.pollUnsafe()
        const come =
          exit === undefined ? yield* Effect.timeoutOption(Fiber.join(pending), keepAlive) : Option.some(yield* exit)
        if (Option.isNone(come)) return tail.isLineEnd ? [comment] : yield* next
        pending = undefined
        tail.follow(come.value)
        return come.value
      })
      return Effect.succeed(next)
    })
    // No bytes, but written: so the headers go out before there are any.
    return Stream.concat(Stream.succeed(new Uint8Array()), relayed).pipe(
      Stream.catch((error) => (tail.isEventEnd ? Stream.succeed(toEvent(error)) : Stream.fail(error)))
    )
  })
