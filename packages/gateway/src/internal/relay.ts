/**
 * Passes an event stream on, chunk by chunk, without decoding it. It only follows the ends of lines and events. Between two
 * lines it can insert a comment when nothing arrives. Between two events it can report a failure as an event.
 */
import type * as Arr from "effect/Array"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { whenSilent } from "./silence.ts"

type Chunks = Arr.NonEmptyReadonlyArray<Uint8Array>

const comments: Chunks = [new TextEncoder().encode(": keep-alive\n")]

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
 * The stream, with a comment line whenever nothing arrives for `keepAlive`. A failure between two events is sent as an error
 * event. A failure in the middle of an event closes the connection, because a part of that event was already sent.
 */
export const relay = <E>(
  source: Stream.Stream<Uint8Array, E>,
  { keepAlive, toEvent }: RelayOptions<E>
): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    const tail = new Tail()
    const relayed = source.pipe(
      whenSilent(
        keepAlive,
        Effect.sync(() => (tail.isLineEnd ? comments : undefined))
      ),
      Stream.mapArray((chunks) => {
        if (chunks !== comments) tail.follow(chunks)
        return chunks
      })
    )
    // An empty chunk is written at once, so the headers are sent before the first bytes arrive.
    return Stream.concat(Stream.succeed(new Uint8Array()), relayed).pipe(
      Stream.catch((error) => (tail.isEventEnd ? Stream.succeed(toEvent(error)) : Stream.fail(error)))
    )
  })
