import type { GradientError } from "@effect-gradient/core"
import { Attempt, Images, RetryPolicy } from "@effect-gradient/core"
import * as ImagesFallback from "@effect-gradient/core/ImagesFallback"
import * as ImagesTelemetry from "@effect-gradient/core/ImagesTelemetry"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { SqlClient } from "effect/sql/SqlClient"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import { DurableImages, GenerationJournal, ImageStore } from "../src/index.ts"
import { SqliteClient } from "../src/node/index.ts"
import { answering, answeringAfter, type Process, processOn, shared } from "./support/Durable.ts"

const prompt = "a sea otter"
const key = "order 4711 🦦"
const options = { idempotencyKey: key }
const generate = Images.generate({ prompt }, options)
const events = Stream.runCollect(Images.generateStream({ prompt }, options))
const reasonOf = <A, R>(effect: Effect.Effect<A, GradientError.GradientError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)
const requests = Effect.map(TestTransport.requests, ({ length }) => length)
const status = Effect.map(DurableImages.get(key), (found) => Option.getOrUndefined(found)?.status)
const busy = TestTransport.respond({ status: 429, headers: { "retry-after": "1" }, json: {} })

/** Waits in real time, because digests are computed outside of Effect and its test clock. */
const settle = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 40)))

/** Waits until the process has sent a request. */
const untilSent = (process: Process) =>
  Effect.repeat(Effect.andThen(settle, Effect.provide(requests, process)), { until: (count) => count > 0 })

/** Moves the test clock in steps. Before each step, fibers that can run do so in real time. */
const advance = (duration: Duration.Input, steps = 1) =>
  Effect.repeat(
    Effect.andThen(settle, TestClock.adjust(Duration.toMillis(Duration.fromInputUnsafe(duration)) / steps)),
    { times: steps - 1 }
  ).pipe(Effect.andThen(settle))

const away = new GenerationJournal.JournalFailure({
  message: "connection refused",
  cause: undefined,
  isRetryable: true
})

/**
 * Moves the test clock until the fiber has ended. The number of steps varies, because the work between two steps is
 * done in real time.
 */
const joined = <A, E>(fiber: Fiber.Fiber<A, E>) =>
  Effect.andThen(
    Effect.repeat(advance("500 millis"), { until: () => fiber.pollUnsafe() !== undefined }),
    Fiber.join(fiber)
  )

describe("a call with a key", () => {
  it.effect("is sent once: asking again gives the same bytes from the store, to either function", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const first = yield* processOn(all, answering)
      const response = yield* Effect.provide(generate, first)
      expect(yield* Effect.provide(status, first)).toBe("done")
      const second = yield* processOn(all, [])
      const again = yield* Effect.provide(generate, second)
      expect(again.data[0].bytes).toEqual(response.data[0].bytes)
      expect(again.created).toEqual(response.created)
      const streamed = yield* Effect.provide(events, second)
      expect(streamed.map(({ _tag }) => _tag)).toEqual(["Completed"])
      expect(streamed[0]?.bytes).toEqual(response.data[0].bytes)
      expect(yield* Effect.provide(requests, second)).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "gets its ids, but not the digests of images, from the application's digests; others find it all the same",
    () =>
      Effect.gen(function* () {
        const all = yield* shared
        const lengths: Array<number> = []
        const counted = Layer.effect(
          Digest.Digest,
          Effect.map(Digest.Digest, ({ digest, digestHex }) => ({
            digest,
            digestHex: (algorithm: Digest.Algorithm, bytes: Uint8Array) => {
              lengths.push(bytes.length)
              return digestHex(algorithm, bytes)
            }
          }))
        )
        const crypto = Layer.merge(Layer.provide(counted, NodeCrypto.layerDigest), NodeCrypto.layerMac)
        yield* Effect.provide(generate, yield* Effect.provide(processOn(all, answering), crypto))
        expect(lengths).toEqual([new TextEncoder().encode(key).length])
        const second = yield* processOn(all, [])
        yield* Effect.provide(generate, second)
        expect(yield* Effect.provide(requests, second)).toBe(0)
        const reason = yield* Effect.provide(reasonOf(Images.generate({ prompt: "a cat" }, options)), second)
        expect(reason.code).toBe("idempotency_key_reused")
      }).pipe(Effect.scoped)
  )

  it.effect("sends the hash of the key, never the key", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, answering)
      yield* Effect.provide(generate, process)
      const [request] = yield* Effect.provide(TestTransport.requests, process)
      expect(request?.headers["idempotency-key"]).toMatch(/^[0-9a-f]{64}$/)
    }).pipe(Effect.scoped)
  )

  it.effect("without a key passes through: each call is a request, and nothing is recorded", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, answering)
      yield* Effect.provide(Effect.repeat(Images.generate({ prompt }), { times: 1 }), process)
      expect(yield* Effect.provide(requests, process)).toBe(2)
      expect(yield* Effect.provide(Stream.runCollect(DurableImages.list()), process)).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("with other params is a conflict that no retry resolves; a new default model is none", () =>
    Effect.gen(function* () {
      const all = yield* shared
      yield* Effect.provide(generate, yield* processOn(all, answering))
      const process = yield* processOn(all, [], {}, { model: "another" })
      const reason = yield* Effect.provide(reasonOf(Images.generate({ prompt: "a walrus" }, options)), process)
      expect(reason).toMatchObject({ _tag: "ConflictError", code: "idempotency_key_reused", isRetryable: false })
      yield* Effect.provide(generate, process)
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    { given: "", message: "1 to 512 characters" },
    { given: "x".repeat(513), message: "1 to 512 characters" },
    { given: "\uD800", message: "valid Unicode" }
  ])("that is not usable is refused: $message", ({ given, message }) =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, [])
      const reason = yield* Effect.provide(reasonOf(Images.generate({ prompt }, { idempotencyKey: given })), process)
      expect(reason._tag).toBe("InvalidParamsError")
      expect(reason.message).toContain(message)
    }).pipe(Effect.scoped)
  )

  it.effect("is free again after a failure that was not charged, and other params are allowed", () =>
    Effect.gen(function* () {
      const refused = TestTransport.respond({ status: 400, json: { error: { code: "moderation_blocked" } } })
      const process = yield* processOn(yield* shared, (_request, number) =>
        number === 0 ? refused : TestTransport.response(TestImages.makeResponse(TestImages.png))
      )
      expect((yield* Effect.provide(reasonOf(generate), process))._tag).toBe("ContentPolicyError")
      const found = Option.getOrThrow(yield* Effect.provide(DurableImages.get(key), process))
      expect(found).toMatchObject({ status: "free", note: "ContentPolicyError", attempt: 1 })
      yield* Effect.provide(Images.generate({ prompt: "a tame otter" }, options), process)
      expect(Option.getOrThrow(yield* Effect.provide(DurableImages.get(key), process)).attempt).toBe(2)
    }).pipe(Effect.scoped)
  )

  it.effect("waits for its retry without a permission: a process that ends in between leaves no doubt", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const process = yield* processOn(all, () => busy)
      yield* Effect.forkChild(Effect.provide(generate, process))
      yield* untilSent(process)
      expect(yield* Effect.provide(requests, process)).toBe(1)
      expect(yield* Effect.provide(status, process)).toBe("free")
    }).pipe(Effect.scoped)
  )

  it.effect("is in doubt after a failure that may have been charged, under any policy, and is not sent again", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, () => TestTransport.failSent(), {}, { retry: RetryPolicy.eager })
      const reason = yield* Effect.provide(reasonOf(generate), process)
      expect(reason).toMatchObject({ _tag: "DisconnectedError", mayHaveBeenCharged: true, isRetryable: false })
      const again = yield* Effect.provide(reasonOf(generate), process)
      expect(again).toMatchObject({ _tag: "InDoubtError", key, attempt: 1, abandoned: false, isRetryable: false })
      expect(again.mayHaveBeenCharged).toBe(true)
      expect(yield* Effect.provide(requests, process)).toBe(1)
    }).pipe(Effect.scoped)
  )

  it.effect("keeps the partial images of a doubt, and gives them with the error", () =>
    Effect.gen(function* () {
      const cut = TestTransport.events([TestImages.makeEvents(TestImages.webp, TestImages.png)[0]], { end: "reset" })
      const process = yield* processOn(yield* shared, [cut])
      yield* Effect.provide(Effect.flip(events), process)
      const again = yield* Effect.provide(reasonOf(generate), process)
      expect(again._tag).toBe("InDoubtError")
      expect(again.images.map(({ bytes }) => [...bytes])).toEqual([[...TestImages.webp]])
    }).pipe(Effect.scoped)
  )

  it.effect("refuses a second request of transformClient, unsent", () =>
    Effect.gen(function* () {
      const process = yield* processOn(
        yield* shared,
        answering,
        {},
        {
          transformClient: (client) => ({
            execute: (request) => Effect.andThen(client.execute(request), client.execute(request))
          })
        }
      )
      expect((yield* Effect.provide(reasonOf(generate), process))._tag).toBe("InDoubtError")
      expect(yield* Effect.provide(requests, process)).toBe(1)
    }).pipe(Effect.scoped)
  )
})

describe("callers of one key", () => {
  it.effect("in one process share one generation, whole and streamed, and get the same bytes", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, answeringAfter("10 seconds"))
      const whole = Effect.map(generate, ({ data }) => [...data[0].bytes])
      const streamed = Effect.map(events, (all) => [...(all.at(-1)?.bytes ?? [])])
      const all = Effect.all(
        Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? whole : streamed)),
        { concurrency: "unbounded" }
      )
      const fiber = yield* Effect.forkChild(Effect.provide(all, process))
      yield* advance("10 seconds")
      const results = yield* joined(fiber)
      expect(new Set(results.map(String)).size).toBe(1)
      expect(yield* Effect.provide(requests, process)).toBe(1)
    }).pipe(Effect.scoped)
  )

  it.effect("in two processes share one generation, whole and streamed: those of the second poll", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const first = yield* processOn(all, answeringAfter("10 seconds"))
      const second = yield* processOn(all, [])
      const whole = Effect.map(generate, ({ data }) => [...data[0].bytes])
      const streamed = Effect.map(events, (given) => [...(given.at(-1)?.bytes ?? [])])
      const many = Effect.all(
        Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? whole : streamed)),
        { concurrency: "unbounded" }
      )
      const one = yield* Effect.forkChild(Effect.provide(many, first))
      yield* untilSent(first)
      const two = yield* Effect.forkChild(Effect.provide(many, second))
      yield* advance("13 seconds", 13)
      const results = [...(yield* joined(one)), ...(yield* joined(two))]
      expect(results.length).toBe(100)
      expect(new Set(results.map(String)).size).toBe(1)
      expect(yield* Effect.provide(requests, first)).toBe(1)
    }).pipe(Effect.scoped)
  )

  it.effect("of a stream do not wait for one that is slow: it misses partial images, and gets the last", () =>
    Effect.gen(function* () {
      const pictures = TestImages.makeEvents(TestImages.webp, TestImages.jpeg, TestImages.webp, TestImages.png)
      const process = yield* processOn(yield* shared, [TestTransport.events(pictures, { interval: "1 second" })])
      const taken = Images.generateStream({ prompt }, options).pipe(Stream.tap(() => Effect.sleep("1 minute")))
      const slow = yield* Effect.forkChild(Effect.provide(Stream.runCollect(taken), process))
      const quick = yield* Effect.forkChild(Effect.provide(events, process))
      yield* untilSent(process)
      yield* advance("4 seconds", 4)
      expect((yield* joined(quick)).length).toBe(4)
      yield* advance("3 minutes", 3)
      expect((yield* Fiber.join(slow)).map(({ _tag }) => _tag)).toEqual(["PartialImage", "Completed"])
    }).pipe(Effect.scoped)
  )

  it.effect("of a stream see its newest partial image first, and every Completed", () =>
    Effect.gen(function* () {
      const pictures = TestImages.makeEvents(TestImages.webp, TestImages.jpeg, TestImages.png)
      const process = yield* processOn(yield* shared, [TestTransport.events(pictures, { interval: "10 seconds" })])
      const first = yield* Effect.forkChild(Effect.provide(events, process))
      yield* untilSent(process)
      yield* advance("20 seconds")
      const second = yield* Effect.forkChild(Effect.provide(events, process))
      yield* advance("10 seconds")
      expect((yield* joined(first)).length).toBe(3)
      expect((yield* joined(second)).map(({ bytes }) => bytes.length)).toEqual(
        pictures.slice(1).map(({ bytes }) => bytes.length)
      )
    }).pipe(Effect.scoped)
  )

  it.effect("who leave do not end it", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, answeringAfter("10 seconds"))
      const fiber = yield* Effect.forkChild(Effect.provide(generate, process))
      yield* untilSent(process)
      yield* Fiber.interrupt(fiber)
      yield* advance("10 seconds")
      expect(yield* Effect.provide(status, process)).toBe("done")
    }).pipe(Effect.scoped)
  )

  it.effect("end it with whenCallerLeaves: interrupt, when the last has left", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, answeringAfter("10 seconds"), { whenCallerLeaves: "interrupt" })
      const [one, two] = [
        yield* Effect.forkChild(Effect.provide(generate, process)),
        yield* Effect.forkChild(Effect.provide(generate, process))
      ]
      yield* untilSent(process)
      yield* Fiber.interrupt(one)
      yield* settle
      expect(yield* Effect.provide(status, process)).toBe("sending")
      yield* Fiber.interrupt(two)
      yield* settle
      expect(yield* Effect.provide(status, process)).toBe("in-doubt")
    }).pipe(Effect.scoped)
  )

  it.effect("get the error of a failure that is shared", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, () => Effect.delay(TestTransport.failSent(), "1 second"))
      const both = Effect.all([reasonOf(generate), reasonOf(events)], { concurrency: "unbounded" })
      const fiber = yield* Effect.forkChild(Effect.provide(both, process))
      yield* advance("1 second")
      expect((yield* joined(fiber)).map(({ _tag }) => _tag)).toEqual(["DisconnectedError", "DisconnectedError"])
    }).pipe(Effect.scoped)
  )
})

describe("a process that ends", () => {
  const startIn = (
    all: Parameters<typeof processOn>[0],
    settings?: DurableImages.Options,
    takes: Duration.Input = "1 minute"
  ) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const process = yield* Scope.provide(processOn(all, answeringAfter(takes), settings), scope)
      const fiber = yield* Effect.forkChild(Effect.exit(Effect.provide(generate, process)))
      yield* untilSent(process)
      return { scope, fiber, process }
    })

  it.effect("waits for what was sent, and sends nothing new", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const { fiber, process, scope } = yield* startIn(all)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* settle
      const other = yield* Effect.provide(reasonOf(Images.generate({ prompt }, { idempotencyKey: "other" })), process)
      expect(other).toMatchObject({ _tag: "JournalError", phase: "before", mayHaveBeenCharged: false })
      yield* advance("1 minute")
      yield* joined(closing)
      expect(Exit.isSuccess(yield* joined(fiber))).toBe(true)
    }).pipe(Effect.scoped)
  )

  /** A process that has got its images or failure, and takes this long to write each file of them. */
  const storingIn = (takes: Duration.Input, script: TestTransport.Script, settings?: DurableImages.Options) =>
    Effect.gen(function* () {
      const all = yield* shared
      const put: typeof all.store.put = (path, bytes) => Effect.delay(all.store.put(path, bytes), takes)
      const scope = yield* Scope.make()
      const process = yield* Scope.provide(processOn({ ...all, store: { ...all.store, put } }, script, settings), scope)
      const fiber = yield* Effect.forkChild(Effect.exit(Effect.provide(events, process)))
      yield* untilSent(process)
      yield* settle
      return { all, fiber, closing: yield* Effect.forkChild(Scope.close(scope, Exit.void)) }
    })
  const cut = () => TestTransport.events([TestImages.makeEvents(TestImages.webp, TestImages.png)[0]], { end: "reset" })

  it.effect("waits for images that are being stored", () =>
    Effect.gen(function* () {
      const { closing, fiber } = yield* storingIn("10 seconds", answering)
      yield* joined(closing)
      expect(Exit.isSuccess(yield* joined(fiber))).toBe(true)
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    { what: "images that are being stored", script: answering, status: "done" },
    { what: "a failure whose images are being stored", script: cut, status: "in-doubt" }
  ])("never says that nothing was sent, after $what", ({ script, status: expected }) =>
    Effect.gen(function* () {
      const { all, closing, fiber } = yield* storingIn("10 seconds", script, { drain: "1 second" })
      yield* joined(closing)
      const reason = yield* reasonOf(Effect.flatten(joined(fiber)))
      expect(reason.mayHaveBeenCharged).toBe(true)
      expect(yield* Effect.provide(status, yield* processOn(all, []))).toBe(expected)
    }).pipe(Effect.scoped)
  )

  it.effect("ends in order if the store has a defect", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const put = () => Effect.delay(Effect.die("a defect"), "10 seconds")
      const scope = yield* Scope.make()
      const process = yield* Scope.provide(processOn({ ...all, store: { ...all.store, put } }, answering), scope)
      const fiber = yield* Effect.forkChild(Effect.exit(Effect.provide(events, process)))
      yield* untilSent(process)
      yield* settle
      const closing = yield* Effect.forkChild(Effect.exit(Scope.close(scope, Exit.void)))
      expect(yield* joined(closing)).toEqual(Exit.void)
      expect(Exit.isFailure(yield* joined(fiber))).toBe(true)
    }).pipe(Effect.scoped)
  )

  it.effect("leaves in doubt what is not done after `drain`", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const { fiber, scope } = yield* startIn(all, { drain: "10 seconds" })
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* settle
      yield* advance("10 seconds")
      yield* joined(closing)
      const exit = yield* joined(fiber)
      expect(Exit.isFailure(exit)).toBe(true)
      const next = yield* processOn(all, [])
      expect(yield* Effect.provide(status, next)).toBe("in-doubt")
    }).pipe(Effect.scoped)
  )

  /**
   * A journal for a process that is killed later. After `kill`, the process's renewals and outcomes no longer reach the
   * journal.
   */
  const killable = (journal: GenerationJournal.GenerationJournal["Service"]) => {
    let isKilled = false
    const kill = Effect.sync(() => {
      isKilled = true
    })
    const orNever = <A, E>(effect: Effect.Effect<A, E>) => Effect.suspend(() => (isKilled ? Effect.never : effect))
    const dying = {
      ...journal,
      move: (id: string, move: GenerationJournal.Move) => orNever(journal.move(id, move)),
      renew: (holder: string, leaseMillis: number) => orNever(journal.renew(holder, leaseMillis))
    }
    return { kill, dying }
  }

  it.effect("without an outcome is in doubt only after its lease was over twice, a third of a lease apart", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const { dying, kill } = killable(all.journal)
      yield* startIn({ ...all, journal: dying }, { lease: "60 seconds" }, "10 minutes")
      yield* kill
      const process = yield* processOn(all, [], { lease: "60 seconds" })
      const fiber = yield* Effect.forkChild(Effect.provide(reasonOf(generate), process))
      yield* advance("59 seconds", 20)
      expect(yield* Effect.provide(status, process)).toBe("sending")
      yield* advance("3 seconds")
      expect(yield* Effect.provide(status, process)).toBe("in-doubt")
      expect(fiber.pollUnsafe()).toBeUndefined()
      yield* advance("20 seconds", 4)
      expect((yield* joined(fiber))._tag).toBe("InDoubtError")
    }).pipe(Effect.scoped)
  )

  it.effect("after its images were stored is done for the next one, although the journal does not know", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const { dying, kill } = killable(all.journal)
      yield* startIn({ ...all, journal: dying })
      yield* kill
      // The images are stored in this time, but the outcome never reaches the journal.
      yield* advance("1 minute")
      const process = yield* processOn(all, [])
      const fiber = yield* Effect.forkChild(Effect.provide(generate, process))
      yield* advance("2 minutes", 24)
      expect((yield* joined(fiber)).data[0].bytes).toEqual(TestImages.png)
    }).pipe(Effect.scoped)
  )

  it.effect("and stalls for more than half its lease before the request sends nothing, and is free", () =>
    Effect.gen(function* () {
      const all = yield* shared
      let renewals = 0
      const stalling = {
        ...all.journal,
        renew: () => Effect.suspend(() => (renewals++ === 0 ? Effect.void : Effect.fail(away))),
        move: (id: string, move: GenerationJournal.Move) =>
          move._tag === "Begin"
            ? Effect.tap(all.journal.move(id, move), Effect.sleep("40 seconds"))
            : all.journal.move(id, move)
      }
      const process = yield* processOn({ ...all, journal: stalling }, answering, { lease: "60 seconds" })
      const fiber = yield* Effect.forkChild(Effect.provide(reasonOf(generate), process))
      yield* advance("40 seconds")
      expect(yield* joined(fiber)).toMatchObject({ _tag: "JournalError", phase: "before" })
      expect(yield* Effect.provide(requests, process)).toBe(0)
      expect(yield* Effect.provide(status, process)).toBe("free")
    }).pipe(Effect.scoped)
  )
})

describe("a journal that is away", () => {
  /** A journal whose `move`, `find` and `renew` fail while `isThere` is false. */
  const switchable = (journal: GenerationJournal.GenerationJournal["Service"]) => {
    const state = { isThere: true }
    const whileThere = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.suspend((): Effect.Effect<A, E | GenerationJournal.JournalFailure> =>
        state.isThere ? effect : Effect.fail(away)
      )
    return {
      state,
      journal: {
        ...journal,
        move: (id: string, move: GenerationJournal.Move) => whileThere(journal.move(id, move)),
        find: (id: string) => whileThere(journal.find(id)),
        renew: (holder: string, leaseMillis: number) => whileThere(journal.renew(holder, leaseMillis))
      }
    }
  }

  it.effect("before the request: nothing is sent, and the error says so", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const { journal, state } = switchable(all.journal)
      const process = yield* processOn({ ...all, journal }, [])
      state.isThere = false
      const reason = yield* Effect.provide(reasonOf(generate), process)
      expect(reason).toMatchObject({ _tag: "JournalError", phase: "before", mayHaveBeenCharged: false })
      expect(reason.message).toContain("connection refused")
      expect(reason.message).toContain("Nothing was sent")
    }).pipe(Effect.scoped)
  )

  it.effect("after the request: the call succeeds, and the outcome is written when it is back", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const { journal, state } = switchable(all.journal)
      const process = yield* processOn({ ...all, journal }, answeringAfter("1 second"))
      const fiber = yield* Effect.forkChild(Effect.provide(generate, process))
      yield* untilSent(process)
      state.isThere = false
      yield* joined(fiber)
      state.isThere = true
      expect(yield* Effect.provide(status, process)).toBe("sending")
      yield* advance("1 second")
      expect(yield* Effect.provide(status, process)).toBe("done")
    }).pipe(Effect.scoped)
  )

  it.effect("and was lost: what the store has is found, and not paid for again", () =>
    Effect.gen(function* () {
      const all = yield* shared
      yield* Effect.provide(generate, yield* processOn(all, answering))
      const { journal } = yield* shared
      const process = yield* processOn({ ...all, journal }, [])
      expect((yield* Effect.provide(generate, process)).data[0].bytes).toEqual(TestImages.png)
      expect(yield* Effect.provide(status, process)).toBe("done")
      const other = yield* Effect.provide(reasonOf(Images.generate({ prompt: "a walrus" }, options)), process)
      expect(other._tag).toBe("ConflictError")
    }).pipe(Effect.scoped)
  )

  it.effect("and was lost: reconcile writes its rows", () =>
    Effect.gen(function* () {
      const all = yield* shared
      yield* Effect.provide(generate, yield* processOn(all, answering))
      const { journal } = yield* shared
      const process = yield* processOn({ ...all, journal }, [])
      const found = yield* Effect.provide(Stream.runCollect(DurableImages.reconcile), process)
      expect(found.map((generation) => [generation.key, generation.status])).toEqual([[key, "done"]])
      expect(yield* Effect.provide(Stream.runCollect(DurableImages.reconcile), process)).toEqual([])
    }).pipe(Effect.scoped)
  )
})

describe("a store that refuses", () => {
  const full = (store: ImageStore.ImageStore["Service"]) => ({
    ...store,
    put: () => Effect.fail(new ImageStore.StoreFailure({ message: "no space left on device", cause: undefined }))
  })

  it.effect("leaves the images with the error, and the generation in doubt", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const process = yield* processOn({ ...all, store: full(all.store) }, answering)
      const reason = yield* Effect.provide(reasonOf(generate), process)
      expect(reason).toMatchObject({ _tag: "StoreError", phase: "after", mayHaveBeenCharged: true, isRetryable: false })
      expect(reason.message).toContain("no space left on device")
      expect(reason.images.map(({ bytes }) => bytes)).toEqual([TestImages.png])
      expect(yield* Effect.provide(status, process)).toBe("in-doubt")
    }).pipe(Effect.scoped)
  )

  it.effect("has a spare: the call succeeds, and asking again finds the images there", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const { store: spare } = yield* shared
      const refusing = { ...all, store: full(all.store) }
      yield* Effect.provide(generate, yield* processOn(refusing, answering, { spare }))
      const again = yield* Effect.provide(generate, yield* processOn(refusing, [], { spare }))
      expect(again.data[0].bytes).toEqual(TestImages.png)
    }).pipe(Effect.scoped)
  )
})

describe("a store that cannot be read", () => {
  const noRoute = Effect.fail(new ImageStore.StoreFailure({ message: "no route to the bucket", cause: undefined }))
  const unreadable: ImageStore.ImageStore["Service"] = {
    put: () => noRoute,
    get: () => noRoute,
    read: () => noRoute,
    head: () => noRoute,
    list: () => Stream.fromEffect(noRoute),
    remove: () => noRoute
  }

  it.effect.each(["done", "doubt", "unknown"])("has a spare: images there are found if the row is %s", (state) =>
    Effect.gen(function* () {
      const { store: spare } = yield* shared
      const all = yield* shared
      const full = { ...all.store, put: () => noRoute }
      yield* Effect.provide(generate, yield* processOn({ ...all, store: full }, answering, { spare }))
      const id = Option.getOrThrow(Option.fromNullishOr((yield* all.journal.list({ limit: 1 }))[0])).row.id
      const { journal } = state === "done" ? all : yield* shared
      if (state === "doubt") {
        const asked = { key, salt: undefined, digest: undefined, labels: {}, model: "m", n: 1 }
        yield* journal.move(id, GenerationJournal.Move.Begin({ ...asked, token: "t", holder: "h", leaseMillis: 1000 }))
        yield* journal.move(id, GenerationJournal.Move.Doubt({ token: "t", note: "lost", images: 0 }))
      }
      const process = yield* processOn({ journal, store: unreadable }, [], { spare })
      expect((yield* Effect.provide(generate, process)).data[0].bytes).toEqual(TestImages.png)
      expect(yield* Effect.provide(status, process)).toBe("done")
    }).pipe(Effect.scoped)
  )

  it.effect("sends nothing if the spare does not have the images", () =>
    Effect.gen(function* () {
      const [all, { store: spare }] = [yield* shared, yield* shared]
      const process = yield* processOn({ ...all, store: unreadable }, answering, { spare })
      expect(yield* Effect.provide(reasonOf(generate), process)).toMatchObject({ _tag: "StoreError", phase: "before" })
      expect(yield* Effect.provide(requests, process)).toBe(0)
    }).pipe(Effect.scoped)
  )
})

describe("a person", () => {
  /** Makes a process whose generation is in doubt. */
  const doubtful = Effect.gen(function* () {
    const all = yield* shared
    const process = yield* processOn(all, (_request, number) =>
      number === 0
        ? TestTransport.events([TestImages.makeEvents(TestImages.webp, TestImages.png)[0]], { end: "reset" })
        : TestTransport.response(TestImages.makeResponse(TestImages.png))
    )
    yield* Effect.provide(Effect.flip(events), process)
    return process
  })

  it.effect("lists an attempt that brings its images after a repeated one was done: both were paid for", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const late = yield* processOn(all, answeringAfter("3 seconds"))
      const lost = yield* Effect.forkChild(Effect.provide(generate, late))
      yield* untilSent(late)
      const process = yield* processOn(all, answering)
      const [sent] = yield* Effect.provide(Stream.runCollect(DurableImages.list()), process)
      const id = sent?.id ?? ""
      const token = Option.getOrUndefined(yield* all.journal.find(id))?.row.token ?? ""
      yield* all.journal.move(id, GenerationJournal.Move.Doubt({ token, note: "lost", images: 0 }))
      yield* Effect.provide(DurableImages.resolve(key, { attempt: 1, as: "repeat" }), process)
      yield* Effect.provide(generate, process)
      expect(yield* Effect.provide(status, process)).toBe("done")
      yield* joined(lost)
      const found = Option.getOrUndefined(yield* Effect.provide(DurableImages.get(key), process))
      expect(found).toMatchObject({ attempt: 2, images: 1, extra: 1 })
      const files = (yield* Stream.runCollect(all.store.list(id))).filter(({ path }) => path.endsWith("manifest.json"))
      expect(files.length).toBe(2)
    }).pipe(Effect.scoped)
  )

  it.effect("records a call that moves on to another endpoint, and pays for it once", () =>
    Effect.gen(function* () {
      const { journal, store } = yield* shared
      const refusing = yield* Layer.build(
        TestTransport.layerImages(() => TestTransport.respond({ status: 401, json: {} }), { retry: RetryPolicy.none })
      )
      const working = yield* Layer.build(TestTransport.layerImages(answering))
      const entryOf = (context: typeof working) => ({
        layer: Layer.succeed(Images.Images, Context.get(context, Images.Images))
      })
      const layer = DurableImages.layer().pipe(
        Layer.provide(ImagesFallback.layer([entryOf(refusing), entryOf(working)])),
        Layer.provide(Layer.succeed(GenerationJournal.GenerationJournal, journal)),
        Layer.provide(Layer.succeed(ImageStore.ImageStore, store))
      )
      yield* Effect.gen(function* () {
        yield* generate
        yield* generate
        const found = Option.getOrUndefined(yield* DurableImages.get(key))
        expect(found).toMatchObject({ status: "done", attempt: 2 })
      }).pipe(Effect.provide(layer))
      expect(yield* Effect.provide(requests, refusing)).toBe(1)
      expect(yield* Effect.provide(requests, working)).toBe(1)
    }).pipe(Effect.scoped)
  )

  it.effect.each(["within", "around"])(
    "is observed by telemetry %s it: each attempt, and nothing from the store",
    (place) =>
      Effect.gen(function* () {
        const { journal, store } = yield* shared
        const telemetry = ImagesTelemetry.layer()
        const service = TestTransport.layerImages(answering)
        const durable = DurableImages.layer().pipe(
          Layer.provide(place === "within" ? telemetry.pipe(Layer.provide(service)) : service),
          Layer.provide(Layer.succeed(GenerationJournal.GenerationJournal, journal)),
          Layer.provide(Layer.succeed(ImageStore.ImageStore, store))
        )
        const spans: Array<Tracer.NativeSpan> = []
        const tracer = Tracer.make({
          span(of) {
            const span = new Tracer.NativeSpan(of)
            spans.push(span)
            return span
          }
        })
        yield* Effect.andThen(generate, generate).pipe(
          Effect.provide(place === "within" ? durable : telemetry.pipe(Layer.provide(durable))),
          Effect.withTracer(tracer)
        )
        const attempts = spans.filter(({ name }) => name === "Images.attempt")
        expect(attempts.map(({ attributes }) => attributes.get("gradient.image.charged"))).toEqual(["yes"])
        expect(spans.filter(({ attributes }) => attributes.has("gradient.image.bytes")).length).toBe(2)
      }).pipe(Effect.scoped)
  )

  it.effect("repeats: the next call sends", () =>
    Effect.gen(function* () {
      const process = yield* doubtful
      const free = yield* Effect.provide(DurableImages.resolve(key, { attempt: 1, as: "repeat" }), process)
      expect(free).toMatchObject({ status: "free", note: "repeat" })
      yield* Effect.provide(generate, process)
      expect(yield* Effect.provide(requests, process)).toBe(2)
    }).pipe(Effect.scoped)
  )

  it.effect("abandons: nothing is sent, and asking says so", () =>
    Effect.gen(function* () {
      const process = yield* doubtful
      yield* Effect.provide(DurableImages.resolve(key, { attempt: 1, as: "abandon" }), process)
      expect(yield* Effect.provide(reasonOf(generate), process)).toMatchObject({
        _tag: "InDoubtError",
        abandoned: true
      })
    }).pipe(Effect.scoped)
  )

  it.effect("accepts what was found", () =>
    Effect.gen(function* () {
      const process = yield* doubtful
      const done = yield* Effect.provide(DurableImages.resolve(key, { attempt: 1, as: "accept" }), process)
      expect(done).toMatchObject({ status: "done", images: 1 })
      expect((yield* Effect.provide(generate, process)).data[0].bytes).toEqual(TestImages.webp)
    }).pipe(Effect.scoped)
  )

  it.effect("decides only about the attempt that they saw, and only while it is in doubt", () =>
    Effect.gen(function* () {
      const process = yield* doubtful
      const other = yield* Effect.provide(reasonOf(DurableImages.resolve(key, { attempt: 2, as: "repeat" })), process)
      expect(other._tag).toBe("ConflictError")
      yield* Effect.provide(DurableImages.resolve(key, { attempt: 1, as: "repeat" }), process)
      const late = yield* Effect.provide(reasonOf(DurableImages.resolve(key, { attempt: 1, as: "repeat" })), process)
      expect(late.message).toContain("the generation is free")
    }).pipe(Effect.scoped)
  )

  const done = Effect.gen(function* () {
    const all = yield* shared
    // One test moves the clock of this process by two months. With a long lease, few renewals have to run meanwhile.
    const process = yield* processOn(all, answering, { lease: "90 days" })
    yield* Effect.provide(Images.generate({ prompt }, { ...options, labels: { team: "otters" } }), process)
    const files = Effect.map(Stream.runCollect(all.store.list("")), ({ length }) => length)
    return { process, files }
  })

  it.effect("erases: the content is gone, and the key never pays again", () =>
    Effect.gen(function* () {
      const { files, process } = yield* done
      expect(yield* Effect.provide(DurableImages.erase(key), process)).toEqual({ generations: 1, images: 1 })
      expect(yield* files).toBe(0)
      const found = Option.getOrThrow(yield* Effect.provide(DurableImages.get(key), process))
      expect(found).toMatchObject({ status: "expired", key: undefined, labels: {} })
      expect((yield* Effect.provide(reasonOf(generate), process))._tag).toBe("ExpiredError")
      expect(yield* Effect.provide(requests, process)).toBe(1)
    }).pipe(Effect.scoped)
  )

  it.effect("erases what has no images: the failure does not say that there were some", () =>
    Effect.gen(function* () {
      const process = yield* doubtful
      yield* Effect.provide(DurableImages.resolve(key, { attempt: 1, as: "abandon" }), process)
      yield* Effect.provide(DurableImages.erase(key), process)
      const expired = yield* Effect.provide(reasonOf(generate), process)
      expect(expired._tag).toBe("ExpiredError")
      expect(expired.message).toContain("if it had any")
      expect(expired.message).not.toContain("generated")
    }).pipe(Effect.scoped)
  )

  it.effect("an image that the store has lost: the failure says how to go on, and not to try again", () =>
    Effect.gen(function* () {
      for (const isWhole of [true, false]) {
        const all = yield* shared
        const process = yield* processOn(all, answering)
        yield* Effect.provide(generate, process)
        const files = yield* Stream.runCollect(all.store.list(""))
        const lost = files.filter(({ path }) => isWhole || !path.endsWith("manifest.json"))
        yield* Effect.forEach(lost, ({ path }) => all.store.remove(path))
        const reasons = Effect.all([reasonOf(generate), reasonOf(Effect.scoped(DurableImages.join(key)))])
        for (const reason of yield* Effect.provide(reasons, process)) {
          expect([reason._tag, reason.code, reason.isRetryable]).toEqual(["StoreError", "images_lost", false])
          expect(reason.mayHaveBeenCharged).toBe(false)
          expect(reason.message).toContain("lost")
          expect(reason.message).toContain("`DurableImages.forget`")
          expect(reason.message).not.toContain("Try again")
        }
        expect(yield* Effect.provide(requests, process)).toBe(1)
        yield* Effect.provide(DurableImages.forget(key), process)
        yield* Effect.provide(generate, process)
        expect(yield* Effect.provide(requests, process)).toBe(2)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("forgets: the key pays again", () =>
    Effect.gen(function* () {
      const { files, process } = yield* done
      yield* Effect.provide(DurableImages.forget(key), process)
      expect(yield* files).toBe(0)
      yield* Effect.provide(generate, process)
      expect(yield* Effect.provide(requests, process)).toBe(2)
    }).pipe(Effect.scoped)
  )

  it.effect("cannot erase or forget what is in doubt", () =>
    Effect.gen(function* () {
      const process = yield* doubtful
      for (const remove of [DurableImages.erase, DurableImages.forget]) {
        expect((yield* Effect.provide(reasonOf(remove(key)), process)).message).toContain("resolve it first")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("prunes what is old: images first, then rows", () =>
    Effect.gen(function* () {
      const { files, process } = yield* done
      const prune = (status_: "done" | "expired") =>
        Effect.provide(DurableImages.prune({ olderThan: "30 days", status: status_ }), process)
      expect(yield* prune("done")).toEqual({ generations: 0, images: 0 })
      yield* advance("31 days")
      expect(yield* prune("done")).toEqual({ generations: 1, images: 1 })
      expect(yield* files).toBe(0)
      expect((yield* Effect.provide(reasonOf(generate), process))._tag).toBe("ExpiredError")
      yield* advance("31 days")
      expect((yield* prune("expired")).generations).toBe(1)
      expect(yield* Effect.provide(DurableImages.get(key), process)).toEqual(Option.none())
    }).pipe(Effect.scoped)
  )

  /** Makes a process whose generation was refused, and is free. */
  const refusedOn = (all: Parameters<typeof processOn>[0]) =>
    Effect.gen(function* () {
      const refused = TestTransport.respond({ status: 400, json: {} })
      const process = yield* processOn(all, (_request, number) =>
        number === 0 ? refused : TestTransport.response(TestImages.makeResponse(TestImages.png))
      )
      yield* Effect.provide(Effect.flip(generate), process)
      yield* advance("1 second")
      return process
    })
  const pruneFree = DurableImages.prune({ olderThan: "500 millis", status: "free" })

  it.effect("prunes no generation whose call began after it was listed", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const process = yield* refusedOn(all)
      const list = (filter: GenerationJournal.Filter) =>
        Effect.tap(all.journal.list(filter), Effect.orDie(Effect.provide(generate, process)))
      const pruning = yield* processOn({ ...all, journal: { ...all.journal, list } }, [])
      expect(yield* Effect.provide(pruneFree, pruning)).toEqual({ generations: 0, images: 0 })
      expect(yield* Effect.provide(status, process)).toBe("done")
      expect((yield* Effect.provide(generate, yield* processOn(all, []))).data[0].bytes).toEqual(TestImages.png)
    }).pipe(Effect.scoped)
  )

  it.effect("prunes a generation while a call asks for it: nothing is sent until its content is removed", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const process = yield* refusedOn(all)
      const asked: Array<string> = []
      const remove = (path: string) =>
        reasonOf(generate).pipe(
          Effect.provide(process),
          Effect.orDie,
          Effect.tap(({ _tag }) => Effect.sync(() => asked.push(_tag))),
          Effect.andThen(all.store.remove(path))
        )
      const pruning = yield* processOn({ ...all, store: { ...all.store, remove } }, [])
      expect(yield* Effect.provide(pruneFree, pruning)).toEqual({ generations: 1, images: 0 })
      expect(asked).toEqual(["ExpiredError"])
      yield* Effect.provide(generate, process)
      expect(yield* Effect.provide(status, process)).toBe("done")
    }).pipe(Effect.scoped)
  )

  it.effect("lists by status, prefix and number, the newest first, with labels and without prompts", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, answering)
      for (const name of ["a/1", "a/2", "b/1"]) {
        yield* TestClock.adjust("1 second")
        const named = { idempotencyKey: name, labels: { name } }
        yield* Effect.provide(Images.generate({ prompt }, named), process)
      }
      const keys = (list: DurableImages.ListOptions) =>
        Effect.map(Effect.provide(Stream.runCollect(DurableImages.list(list)), process), (all) =>
          all.map((one) => one.key)
        )
      expect(yield* keys({})).toEqual(["b/1", "a/2", "a/1"])
      expect(yield* keys({ prefix: "a/" })).toEqual(["a/2", "a/1"])
      expect(yield* keys({ status: "done", limit: 1 })).toEqual(["b/1"])
      expect(yield* keys({ status: "in-doubt" })).toEqual([])
      const all = yield* Effect.provide(Stream.runCollect(DurableImages.list()), process)
      expect(JSON.stringify(all)).not.toContain(prompt)
      expect(all[0]?.labels).toEqual({ name: "b/1" })
    }).pipe(Effect.scoped)
  )
})

describe("a state that a newer version has written", () => {
  it.live("is in doubt: it is not sent, and the list of what is in doubt has it", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(
        GenerationJournal.layerSql().pipe(Layer.provideMerge(SqliteClient.layer({ filename: ":memory:" })))
      )
      const journal = Context.get(context, GenerationJournal.GenerationJournal)
      const process = yield* processOn({ ...(yield* shared), journal }, answering)
      yield* Effect.provide(generate, process)
      yield* Effect.provide(Images.generate({ prompt }, { idempotencyKey: "another" }), process)
      const sql = Context.get(context, SqlClient)
      const state = "queued for review"
      yield* sql`UPDATE gradient_generation SET state = ${state}, folder = NULL WHERE key = ${key}`

      const found = yield* Effect.provide(Stream.runCollect(DurableImages.list({ status: "in-doubt" })), process)
      expect(found.map((generation) => [generation.key, generation.status])).toEqual([[key, "in-doubt"]])
      const doubts = yield* Effect.provide(DurableImages.doubts, process)
      expect(doubts).toEqual({ count: 1, oldest: found[0]?.sentAt })
      const reason = yield* Effect.provide(reasonOf(generate), process)
      expect(reason._tag).toBe("InDoubtError")
      expect(yield* Effect.provide(requests, process)).toBe(2)
    }).pipe(Effect.scoped)
  )
})

describe("the layer", () => {
  it.effect("keeps images only as long as it is told", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, answering, {
        lease: "90 days",
        keep: { images: "1 day", rows: "2 days" }
      })
      yield* Effect.provide(generate, process)
      yield* advance("26 hours")
      expect(yield* Effect.provide(status, process)).toBe("expired")
      yield* advance("50 hours")
      expect(yield* Effect.provide(status, process)).toBeUndefined()
    }).pipe(Effect.scoped)
  )

  it.effect("refuses a lease that is too short", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(processOn(yield* shared, [], { lease: "10 millis" }))
      expect(error.message).toContain("lease must be finite and at least 1000 ms (got 10 ms)")
    }).pipe(Effect.scoped)
  )

  it.effect("runs the entries of outer layers around its attempts, and waits for limits without a record", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const process = yield* processOn(all, answering)
      const gate = yield* Deferred.make<void>()
      const limited = Effect.updateService(generate, Attempt.Around, (entries) => [
        { wait: () => Deferred.await(gate) },
        ...entries
      ])
      const fiber = yield* Effect.forkChild(Effect.provide(limited, process))
      yield* settle
      expect(yield* Effect.provide(status, process)).toBeUndefined()
      yield* Deferred.succeed(gate, undefined)
      yield* joined(fiber)
      expect(yield* Effect.provide(status, process)).toBe("done")
    }).pipe(Effect.scoped)
  )
})

describe("joining a key", () => {
  const join = Effect.flatMap(DurableImages.join(key), ({ response }) => response).pipe(Effect.scoped)

  it.effect("never sends: without a generation, and after one that was not charged, it is a NotFoundError", () =>
    Effect.gen(function* () {
      const refused = TestTransport.respond({ status: 400, json: { error: { code: "moderation_blocked" } } })
      const process = yield* processOn(yield* shared, () => refused)
      expect(yield* Effect.provide(reasonOf(join), process)).toMatchObject({ _tag: "NotFoundError", code: "not_found" })
      yield* Effect.provide(reasonOf(generate), process)
      expect((yield* Effect.provide(reasonOf(join), process))._tag).toBe("NotFoundError")
      expect(yield* Effect.provide(requests, process)).toBe(1)
    }).pipe(Effect.scoped)
  )

  it.effect("says that there is nothing to join with this key", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, [])
      const reason = yield* Effect.provide(reasonOf(Effect.scoped(DurableImages.join(key))), process)
      expect(reason.message).toBe("There is nothing to join with this idempotency key: ask for the images again.")
    }).pipe(Effect.scoped)
  )

  it.effect("waits for a generation of this process, and of another one, without its params", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const first = yield* processOn(all, answeringAfter("10 seconds"))
      const second = yield* processOn(all, [])
      const asked = yield* Effect.forkChild(Effect.provide(generate, first))
      yield* untilSent(first)
      const here = yield* Effect.forkChild(Effect.provide(join, first))
      const there = yield* Effect.forkChild(Effect.provide(join, second))
      const { data } = yield* joined(asked)
      expect((yield* joined(here)).data).toEqual(data)
      expect((yield* joined(there)).data).toEqual(data)
      const events_ = Stream.unwrap(Effect.map(DurableImages.join(key), ({ events: joinedEvents }) => joinedEvents))
      const [completed] = yield* Effect.provide(Stream.runCollect(events_), second)
      expect(completed?.bytes).toEqual(data[0].bytes)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "is one look at the journal at a time, however many callers there are; none is left when all have left",
    () =>
      Effect.gen(function* () {
        const all = yield* shared
        let looks = 0
        const find: typeof all.journal.find = (id) =>
          Effect.andThen(
            Effect.sync(() => looks++),
            all.journal.find(id)
          )
        const first = yield* processOn(all, answeringAfter("1 hour"), { drain: 0 })
        yield* Effect.forkChild(Effect.provide(generate, first))
        yield* untilSent(first)
        const second = yield* processOn({ ...all, journal: { ...all.journal, find } }, [])
        const callers = yield* Effect.forEach(Array.from({ length: 100 }), () =>
          Effect.forkChild(Effect.provide(join, second))
        )
        yield* advance("10 seconds", 20)
        expect(looks).toBeLessThan(15)
        yield* Fiber.interruptAll(callers)
        yield* settle
        const before = looks
        yield* advance("10 seconds", 5)
        expect(looks).toBe(before)
      }).pipe(Effect.scoped)
  )
})
