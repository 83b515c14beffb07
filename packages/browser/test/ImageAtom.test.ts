import { assert, describe, it } from "@effect/vitest"
import { ImageAtom } from "@effect-gradient/browser"
import { GradientError, ImageGenStreamEvent } from "@effect-gradient/core"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import { type Cause, Effect, Option, Queue, Stream } from "effect"
import { AsyncResult, Atom, AtomRegistry } from "effect/reactivity"

type Event = ImageGenStreamEvent.ImageGenStreamEvent
type Result = AsyncResult.AsyncResult<Event, unknown>

/** Makes an Atom whose stream emits what a test puts into `events`. */
const setUp = Effect.gen(function* () {
  const events = yield* Queue.unbounded<Event, GradientError.GradientError | Cause.Done>()
  const left = yield* Queue.unbounded<void>()
  const states = yield* Queue.unbounded<Result>()
  const registry = yield* Effect.acquireRelease(
    Effect.sync(() => AtomRegistry.make()),
    (made) => Effect.sync(() => made.dispose())
  )
  const atom = ImageAtom.make(
    TestImages.layer({
      generateStream: () => Stream.ensuring(Stream.fromQueue(events), Queue.offer(left, undefined))
    })
  )
  registry.subscribe(atom, (state) => Queue.offerUnsafe(states, state), { immediate: true })
  const write = (value: { readonly prompt: string } | Atom.Interrupt | Atom.Reset) =>
    Effect.sync(() => registry.set(atom, value))
  /** Takes the states in their order until one matches this predicate, and returns it. */
  const reach = (isIt: (state: Result) => boolean) =>
    Effect.gen(function* () {
      while (true) {
        const state = yield* Queue.take(states)
        if (isIt(state)) return state
      }
    })
  return { events, left, write, reach }
})

const partial = new ImageGenStreamEvent.PartialImage({ bytes: TestImages.png, partialImageIndex: 0 })
const completed = new ImageGenStreamEvent.Completed({ bytes: TestImages.png })

const params = { prompt: "a sea otter" }

const shows = (event: Event, waiting: boolean) => (state: Result) =>
  AsyncResult.isSuccess(state) && state.value === event && state.waiting === waiting

describe("ImageAtom.make", () => {
  it.effect("passes on the options of a call, such as onRetry", () =>
    Effect.gen(function* () {
      const heard = yield* Queue.unbounded<number>()
      const registry = yield* Effect.acquireRelease(
        Effect.sync(() => AtomRegistry.make()),
        (made) => Effect.sync(() => made.dispose())
      )
      const busy = TestTransport.layerImages(() => TestTransport.respond({ status: 429, json: {} }))
      const atom = ImageAtom.make(busy, { onRetry: ({ attempt }) => Effect.asVoid(Queue.offer(heard, attempt)) })
      registry.mount(atom)
      registry.set(atom, params)
      assert.strictEqual(yield* Queue.take(heard), 1)
    })
  )

  it.effect("is initial, then waiting with each partial image, then a success with the final image", () =>
    Effect.gen(function* () {
      const { events, reach, write } = yield* setUp
      assert.isFalse((yield* reach(AsyncResult.isInitial)).waiting)
      yield* write(params)
      yield* reach(({ waiting }) => waiting)
      yield* Queue.offer(events, partial)
      yield* reach(shows(partial, true))
      yield* Queue.offer(events, completed)
      yield* Queue.end(events)
      yield* reach(shows(completed, false))
    })
  )

  it.effect("fails with the error, and keeps the last image", () =>
    Effect.gen(function* () {
      const { events, reach, write } = yield* setUp
      yield* write(params)
      yield* Queue.offer(events, partial)
      yield* reach(shows(partial, true))
      const error = GradientError.fromReason(new GradientError.IncompleteStreamError({}))
      yield* Queue.fail(events, error)
      const failed = yield* reach(AsyncResult.isFailure)
      assert.deepStrictEqual(AsyncResult.error(failed), Option.some(error))
      assert.deepStrictEqual(AsyncResult.value(failed), Option.some(partial))
    })
  )

  it.effect("ends the stream on Atom.Interrupt, and keeps the last image", () =>
    Effect.gen(function* () {
      const { events, left, reach, write } = yield* setUp
      yield* write(params)
      yield* Queue.offer(events, partial)
      yield* reach(shows(partial, true))
      yield* write(Atom.Interrupt)
      yield* Queue.take(left)
      const cancelled = yield* reach(AsyncResult.isInterrupted)
      assert.deepStrictEqual(AsyncResult.value(cancelled), Option.some(partial))
    })
  )

  it.effect("returns to the initial state on Atom.Reset", () =>
    Effect.gen(function* () {
      const { events, left, reach, write } = yield* setUp
      yield* reach(AsyncResult.isInitial)
      yield* write(params)
      yield* Queue.offer(events, partial)
      yield* reach(shows(partial, true))
      yield* write(Atom.Reset)
      yield* Queue.take(left)
      assert.isFalse((yield* reach(AsyncResult.isInitial)).waiting)
    })
  )
})
