/**
 * Passes an event stream on, chunk by chunk, without decoding it. It only notices the ends of lines and events. If
 * nothing arrives for some time, it inserts a comment between two lines. If the stream fails before the first byte or
 * directly after an event, it reports the failure as an event.
 */
import type * as Arr from "effect/Array"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { whenSilent } from "./silence.ts"

type Chunks = Arr.NonEmptyReadonlyArray<Uint8Array>

const comments: Chunks = [new TextEncoder().encode(": keep-alive\n")]

/** The last four bytes that were passed on. They are enough to recognise the end of a line and the end of an event. */
class Tail {
  private text = "\n\n"

  follow(chunks: Chunks): void {
    for (const chunk of chunks) this.text = (this.text + String.fromCharCode(...chunk.subarray(-4))).slice(-4)
  }

  /** Only LF counts, because a CR may be the first half of a CRLF. */
  get isLineEnd(): boolean {
    return this.text.endsWith("\n")
  }

  get isEventEnd(): boolean {
    return /\n\r?\n$/.test(this.text)
  }
}

export interface RelayOptions<E> {
  /** A comment is sent each time that nothing has arrived for this long, except in the middle of a line. */
  readonly keepAlive: Duration.Input
  /** Makes the event that reports a failure. */
  readonly toEvent: (error: E) => Uint8Array
}

/**
 * Passes the stream on, and inserts a comment line each time that nothing has arrived for `keepAlive`, except in the
 * middle of a line. A failure before the first byte or directly after an event is sent as an error event. Any other
 * failure closes the connection, because a part of an event may already have been sent.
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
    // The server writes an empty chunk at once. So the headers are sent before the first bytes arrive.
    return Stream.concat(Stream.succeed(new Uint8Array()), relayed).pipe(
      Stream.catch((error) => (tail.isEventEnd ? Stream.succeed(toEvent(error)) : Stream.fail(error)))
    )
  })
