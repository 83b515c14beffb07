/**
 * Passes an event stream on, chunk by chunk, without decoding it. It only follows the ends of lines and events. Between two
 * lines it can insert a comment when nothing arrives. Between two events it can report a failure as an event.
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

/** The last characters that were sent: enough to recognise the end of a line and of an event. */
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
  /** After this time of silence a comment is sent. */
  readonly keepAlive: Duration.Input
  /** The event that reports a failure. */
  readonly toEvent: (error: E) => Uint8Array
}

/**
 * The stream with comments in its silences. A failure between two events becomes an event. A failure within an event fails
 * the stream, which closes the connection, because a part of the event was already sent.
 */
export const relay = <E>(
  source: Stream.Stream<Uint8Array, E>,
  { keepAlive, toEvent }: RelayOptions<E>
): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    const tail = new Tail()
    const relayed = Stream.transformPull(source, (pull, scope) => {
      /** The pending read. It continues while comments are sent. */
      let pending: Fiber.Fiber<Chunks, E | Cause.Done> | undefined
      const next: Pull.Pull<Chunks, E> = Effect.gen(function* () {
        pending ??= yield* Effect.forkIn(pull, scope, { startImmediately: true })
        const exit = pending.pollUnsafe()
        const arrived =
          exit === undefined ? yield* Effect.timeoutOption(Fiber.join(pending), keepAlive) : Option.some(yield* exit)
        if (Option.isNone(arrived)) return tail.isLineEnd ? [comment] : yield* next
        pending = undefined
        tail.follow(arrived.value)
        return arrived.value
      })
      return Effect.succeed(next)
    })
    // An empty chunk is written at once, so the headers are sent before the first bytes arrive.
    return Stream.concat(Stream.succeed(new Uint8Array()), relayed).pipe(
      Stream.catch((error) => (tail.isEventEnd ? Stream.succeed(toEvent(error)) : Stream.fail(error)))
    )
  })
