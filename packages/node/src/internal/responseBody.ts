/**
 * The body of undici's response as core is to read it: decoded if it is encoded, else in the chunks that came.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Latch from "effect/Latch"
import * as Predicate from "effect/Predicate"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Duplex, finished, Readable } from "node:stream"
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib"

type Reply = HttpClientResponse.HttpClientResponse

const decoders = new Map<string | undefined, () => Duplex>([
  ["gzip", createGunzip],
  ["x-gzip", createGunzip],
  ["deflate", createInflate],
  ["br", createBrotliDecompress],
  ["zstd", createZstdDecompress]
])

/** No encoding is asked for; one that comes all the same is decoded, as the image may be paid for. */
export const readable = (response: Reply): Reply => {
  const decoder = decoders.get(response.headers["content-encoding"]?.toLowerCase())
  const onError = (cause: unknown) =>
    new HttpClientError.HttpClientError({
      reason: new HttpClientError.DecodeError({ request: response.request, response, cause })
    })
  const body = bodyOf(response)
  const chunks = body === undefined ? response.stream : chunksOf(body, onError)
  const stream = decoder === undefined ? chunks : NodeStream.pipeThroughDuplex(chunks, { evaluate: decoder, onError })
  return Object.defineProperty(response, "stream", { value: stream })
}

/** The stream that undici gave, if the response shows it. */
const bodyOf = (response: object): Readable | undefined =>
  Predicate.hasProperty(response, "source") &&
  Predicate.hasProperty(response.source, "body") &&
  response.source.body instanceof Readable
    ? response.source.body
    : undefined

/** With more bytes than this waiting, the body is paused: it is what one read of the socket brings at most. */
const mostWaiting = 64 * 1024

/** So long has a body that has come whole to end: destroyed before, it would take its connection with it. */
const twoTurns = Effect.andThen(Effect.yieldNow, Effect.yieldNow)

/**
 * Reads the body; the end of the stream destroys it. Effect's own stream calls `read()`, for which Node first joins all
 * chunks that wait: a copy of the whole body, and as much again for the garbage collector.
 */
const chunksOf = <E>(body: Readable, onError: (cause: unknown) => E): Stream.Stream<Uint8Array, E> =>
  Stream.fromChannel(
    Channel.fromTransform((_, scope) => {
      const arrived = Latch.makeUnsafe(false)
      let waiting: Array<Uint8Array> = []
      let waitingBytes = 0
      let end: Pull.Pull<never, E> | undefined

      const stopWatching = finished(body, { writable: false }, (error) => {
        end = error == null ? Cause.done() : Effect.fail(onError(error))
        arrived.openUnsafe()
      })
      body.on("data", (chunk: Uint8Array) => {
        // The chunks that one read of the socket brings come one right after the other, and are given together.
        if (waiting.push(chunk) === 1) queueMicrotask(() => arrived.openUnsafe())
        waitingBytes += chunk.length
        if (waitingBytes > mostWaiting) body.pause()
      })
      const close = Effect.sync(() => {
        stopWatching()
        body.destroy()
      })

      const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<Uint8Array>, E> = Effect.suspend(() => {
        const chunks = waiting
        if (Arr.isArrayNonEmpty(chunks)) {
          waiting = []
          waitingBytes = 0
          if (body.isPaused()) body.resume()
          return Effect.succeed(chunks)
        }
        if (end !== undefined) return end
        arrived.closeUnsafe()
        return Effect.andThen(arrived.await, pull)
      })
      return Effect.as(Scope.addFinalizer(scope, Effect.andThen(twoTurns, close)), pull)
    })
  )
