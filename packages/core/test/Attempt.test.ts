import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import { Attempt, GradientError, Images, RetryPolicy } from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const prompt = "a sea otter"
const generate = Images.generate({ prompt })
const generateStream = Images.generateStream({ prompt })

const partial = Wire.event(Wire.partial(0, Wire.png(20)))
const completed = Wire.event(Wire.completed(Wire.png(40), { usage: Wire.usage }))
const busy = () => Response.json({ id: "too_many_requests", message: "slow down" }, { status: 429 })
const refused = () => Object.assign(new Error("connect ECONNREFUSED"), { syscall: "connect", code: "ECONNREFUSED" })
const reset = () => Object.assign(new Error("read ECONNRESET"), { syscall: "read", code: "ECONNRESET" })

/** A layer with an entry that logs each run of its `wait`, `begin` and `end`. Also the log, and the outcomes. */
const recorder = (name = "", log: Array<string> = []) => {
  const outcomes: Array<Attempt.Outcome> = []
  const note = (what: string) => Effect.sync(() => void log.push(`${name}${what}`))
  const entry: Attempt.Entry = {
    wait: ({ number }) => note(`wait ${number}`),
    begin: ({ number }) => note(`begin ${number}`),
    end: ({ number }, outcome) =>
      Effect.andThen(
        note(`end ${number} ${outcome._tag}`),
        Effect.sync(() => void outcomes.push(outcome))
      )
  }
  return { log, outcomes, layer: Attempt.layer(entry) }
}

/**
 * A layer of `Images` that sends its requests to a service in memory, with an entry that records the attempts. Also
 * what the entry recorded, and the requests that the service got.
 */
const around = (answer: (number: number) => Service.Answer, options?: Parameters<typeof Service.make>[1]) => {
  const service = Service.make(answer, options)
  const record = recorder()
  return { ...record, asked: service.asked, layer: record.layer.pipe(Layer.provide(service.layer)) }
}

const onlyOutcome = ({ outcomes }: { readonly outcomes: ReadonlyArray<Attempt.Outcome> }): Attempt.Outcome => {
  expect(outcomes.length).toBe(1)
  const [outcome] = outcomes
  if (outcome === undefined) throw new Error("no outcome")
  return outcome
}

describe("Attempt.layer", () => {
  it.effect(
    "runs every wait, then every begin, outermost first; then the request; then every end, innermost first",
    () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const service = Service.make(() => {
          log.push("request")
          return Response.json(Wire.response())
        })
        const [outer, inner] = [recorder("outer ", log), recorder("inner ", log)]
        yield* generate.pipe(Effect.provide(outer.layer.pipe(Layer.provide(inner.layer), Layer.provide(service.layer))))
        expect(log).toEqual([
          "outer wait 1",
          "inner wait 1",
          "outer begin 1",
          "inner begin 1",
          "request",
          "inner end 1 Completed",
          "outer end 1 Completed"
        ])
      })
  )

  it.effect("passes the attempt to each function: number, params with defaults, key and labels", () =>
    Effect.gen(function* () {
      const seen: Array<Attempt.Attempt> = []
      const entry = Attempt.layer({ begin: (attempt) => Effect.sync(() => void seen.push(attempt)) })
      const service = Service.make((number) => (number === 0 ? busy() : Wire.stream([completed])))
      const options = { idempotencyKey: "order-1", labels: { team: "otters" }, retry: RetryPolicy.chargeSafe }
      const call = Images.generateStream({ prompt, quality: "high" }, options)
      const fiber = yield* Stream.runDrain(call).pipe(
        Effect.provide(entry.pipe(Layer.provide(service.layer))),
        Effect.forkChild
      )
      yield* Service.settle
      yield* Service.advance("10 seconds")
      yield* Service.join(fiber)
      expect(seen.map(({ number }) => number)).toEqual([1, 2])
      expect(seen[0]).toMatchObject({
        kind: "stream",
        params: { prompt, quality: "high", model: "openai-gpt-image-2", n: 1, partialImages: 1 },
        idempotencyKey: "order-1",
        labels: { team: "otters" }
      })
    })
  )

  it.effect("passes each event of a stream to event, before the caller gets it and before end", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const entry = Attempt.layer({
        event: ({ number }, { _tag }) => Effect.sync(() => void log.push(`event ${number} ${_tag}`)),
        end: (_attempt, { _tag }) => Effect.sync(() => void log.push(`end ${_tag}`))
      })
      const service = Service.make(() => Wire.stream([partial, completed]))
      yield* Stream.runForEach(generateStream, ({ _tag }) => Effect.sync(() => void log.push(`caller ${_tag}`))).pipe(
        Effect.provide(entry.pipe(Layer.provide(service.layer)))
      )
      expect(log).toEqual([
        "event 1 PartialImage",
        "caller PartialImage",
        "event 1 Completed",
        "end Completed",
        "caller Completed"
      ])
    })
  )

  it.effect("keeps the images of a stream if an entry needs them, even if another does not", () =>
    Effect.gen(function* () {
      for (const [needs, images] of [
        [[false, false], 0],
        [[false, undefined], 1]
      ] as const) {
        const outcomes: Array<Attempt.Outcome> = []
        const end: Attempt.Entry["end"] = (_attempt, outcome) => Effect.sync(() => void outcomes.push(outcome))
        const [outer, inner] = needs.map((needsImages) => Attempt.layer({ end, needsImages }))
        if (outer === undefined || inner === undefined) throw new Error("the test needs two entries")
        const service = Service.make(() => Wire.stream([partial, completed]))
        const layer = outer.pipe(Layer.provide(inner), Layer.provide(service.layer))
        yield* Stream.runDrain(generateStream).pipe(Effect.provide(layer))
        expect(outcomes.map((outcome) => outcome._tag === "Completed" && outcome.images.length)).toEqual([
          images,
          images
        ])
      }
    })
  )

  it.effect("sends nothing if a wait or a begin fails, and fails with its reason", () =>
    Effect.gen(function* () {
      for (const step of ["wait", "begin"] as const) {
        const service = Service.make(() => Response.json(Wire.response()))
        const record = recorder()
        const reason = new GradientError.RateLimitError({ description: "over the budget", reached: "NotSent" })
        const failing = Attempt.layer({ [step]: () => Effect.fail(reason) })
        const error = yield* Effect.flip(Images.generate({ prompt }, { retry: RetryPolicy.none })).pipe(
          Effect.provide(record.layer.pipe(Layer.provide(failing), Layer.provide(service.layer)))
        )
        expect(error.reason).toBe(reason)
        expect(error.mayHaveBeenCharged).toBe(false)
        expect(service.asked.length).toBe(0)
        expect(onlyOutcome(record)).toEqual({ _tag: "NotSent", reason })
      }
    })
  )

  it.effect("runs end only for the entries that have succeeded in wait", () =>
    Effect.gen(function* () {
      const service = Service.make(() => Response.json(Wire.response()))
      const [outer, inner] = [recorder("outer "), recorder("inner ")]
      const failing = Attempt.layer({
        wait: () => Effect.fail(new GradientError.RateLimitError({ reached: "NotSent" }))
      })
      yield* Effect.flip(Images.generate({ prompt }, { retry: RetryPolicy.none })).pipe(
        Effect.provide(
          outer.layer.pipe(Layer.provide(failing), Layer.provide(inner.layer), Layer.provide(service.layer))
        )
      )
      expect([outer.log, inner.log]).toEqual([["outer wait 1", "outer end 1 NotSent"], []])
    })
  )

  it.effect("keeps the images if an end fails after Completed: its reason carries them", () =>
    Effect.gen(function* () {
      const reason = new GradientError.InternalServerError({ description: "the disk is full" })
      const failing = Attempt.layer({
        end: (_, outcome) => (outcome._tag === "Completed" ? Effect.fail(reason) : Effect.void)
      })
      const record = recorder()
      const service = Service.make((number) =>
        number === 0 ? Response.json(Wire.response([Wire.png(30)])) : Wire.stream([partial, completed])
      )
      const layer = record.layer.pipe(Layer.provide(failing), Layer.provide(service.layer))
      const options = { retry: RetryPolicy.none }
      const first = yield* Service.reasonOf(Images.generate({ prompt }, options)).pipe(Effect.provide(layer))
      expect(first.images.map(({ bytes }) => bytes)).toEqual([Wire.png(30)])
      const second = yield* Service.reasonOf(Stream.runDrain(Images.generateStream({ prompt }, options))).pipe(
        Effect.provide(layer)
      )
      expect(second.images.length).toBe(1)
      expect(record.outcomes.map(({ _tag }) => _tag)).toEqual(["Completed", "Completed"])
    })
  )
})

describe("the outcome of an attempt", () => {
  it.effect("of generate: the images and their usage", () =>
    Effect.gen(function* () {
      const service = around(() => Response.json(Wire.response([Wire.png(20), Wire.png(30)], { usage: Wire.usage })))
      yield* generate.pipe(Effect.provide(service.layer))
      const outcome = onlyOutcome(service)
      expect(outcome).toMatchObject({ _tag: "Completed", usage: { outputTokens: 1000 } })
      expect(outcome._tag === "Completed" && outcome.images.map(({ bytes }) => bytes)).toEqual([
        Wire.png(20),
        Wire.png(30)
      ])
    })
  )

  it.effect("of a stream that is drained: Completed, before the consumer sees it", () =>
    Effect.gen(function* () {
      const service = around(() => Wire.stream([partial, completed]))
      const seen: Array<string> = []
      yield* generateStream.pipe(
        Stream.runForEach(({ _tag }) => Effect.sync(() => void seen.push(`${_tag} after ${service.outcomes.length}`))),
        Effect.provide(service.layer)
      )
      expect(seen).toEqual(["PartialImage after 0", "Completed after 1"])
      expect(onlyOutcome(service)).toMatchObject({ _tag: "Completed", usage: { totalTokens: 1010 } })
    })
  )

  it.effect("of a stream that the consumer stops at Completed: Completed", () =>
    Effect.gen(function* () {
      const service = around(() => Wire.stream([partial, completed], "hangs"))
      yield* generateStream.pipe(Stream.take(2), Stream.runDrain, Effect.provide(service.layer))
      expect(onlyOutcome(service)._tag).toBe("Completed")
    })
  )

  it.effect("of a stream with several images: Completed with all of them, before the last one is seen", () =>
    Effect.gen(function* () {
      const two = [Wire.event(Wire.completed(Wire.png(20))), Wire.event(Wire.completed(Wire.png(30)))]
      const service = around(() => Wire.stream(two))
      const settled: Array<number> = []
      yield* Images.generateStream({ prompt, n: 2 }).pipe(
        Stream.runForEach(() => Effect.sync(() => void settled.push(service.outcomes.length))),
        Effect.provide(service.layer)
      )
      const outcome = onlyOutcome(service)
      expect(outcome._tag === "Completed" && outcome.images.length).toBe(2)
      expect(settled.at(-1)).toBe(1)
    })
  )

  it.effect(
    "of a stream that is left after a partial, failed by its consumer or interrupted: Left, with the partial",
    () =>
      Effect.gen(function* () {
        const ways: ReadonlyArray<(stream: typeof generateStream) => Effect.Effect<unknown, unknown, Images.Images>> = [
          (stream) => Stream.runDrain(Stream.take(stream, 1)),
          (stream) => Effect.exit(Stream.runForEach(stream, () => Effect.fail("the consumer's own"))),
          (stream) => Effect.exit(Stream.runForEach(stream, () => Effect.die("a defect"))),
          (stream) =>
            Effect.gen(function* () {
              const came = yield* Deferred.make<void>()
              const fiber = yield* Effect.forkChild(Stream.runForEach(stream, () => Deferred.succeed(came, undefined)))
              yield* Deferred.await(came)
              yield* Service.settle
              yield* Fiber.interrupt(fiber)
            })
        ]
        for (const way of ways) {
          const service = around(() => Wire.stream([partial], "hangs"))
          yield* way(generateStream).pipe(Effect.provide(service.layer))
          const outcome = onlyOutcome(service)
          expect(outcome._tag === "Left" && outcome.images.map(({ bytes }) => bytes)).toEqual([Wire.png(20)])
        }
      })
  )

  it.effect("of a stream that breaks: Failed, with the reason and the images", () =>
    Effect.gen(function* () {
      const service = around(() => Wire.stream([partial], reset()))
      const error = yield* Effect.flip(Stream.runDrain(generateStream)).pipe(Effect.provide(service.layer))
      const outcome = onlyOutcome(service)
      expect(outcome).toMatchObject({ _tag: "Failed", reason: { _tag: "DisconnectedError", mayHaveBeenCharged: true } })
      expect(outcome._tag === "Failed" && outcome.reason).toBe(error.reason)
      expect(outcome._tag === "Failed" && outcome.images.length).toBe(1)
    })
  )

  it.effect("of a call that is interrupted: NotSent in a wait, Left after the request", () =>
    Effect.gen(function* () {
      const ending: Array<string> = []
      const end = (_: Attempt.Attempt, { _tag }: Attempt.Outcome) => Effect.sync(() => void ending.push(_tag))
      const waiting = Attempt.layer({ wait: () => Effect.never })
      const service = Service.make(() => Effect.never)
      for (const layer of [service.layer, waiting.pipe(Layer.provide(service.layer))]) {
        const fiber = yield* generate.pipe(
          Effect.provide(Attempt.layer({ end }).pipe(Layer.provide(layer))),
          Effect.forkChild
        )
        yield* Service.settle
        yield* Fiber.interrupt(fiber)
      }
      expect(ending).toEqual(["Left", "NotSent"])
      expect(service.asked.length).toBe(1)
    })
  )

  it.effect("of an error status: Failed; without a connection: NotSent, with the reason", () =>
    Effect.gen(function* () {
      for (const [answer, expected] of [
        [busy, { _tag: "Failed", reason: { _tag: "RateLimitError" } }],
        [reset, { _tag: "Failed", reason: { _tag: "DisconnectedError" } }],
        [refused, { _tag: "NotSent", reason: { _tag: "ConnectionError" } }]
      ] as const) {
        const service = around(answer, { retry: RetryPolicy.none })
        yield* Effect.flip(generate).pipe(Effect.provide(service.layer))
        expect(onlyOutcome(service)).toMatchObject(expected)
      }
    })
  )
})

describe("a limiter as an entry", () => {
  it.effect("waits outside of the timeout, and holds no permit during the wait for a retry", () =>
    Effect.gen(function* () {
      const semaphore = yield* Semaphore.make(1)
      const entry = Attempt.layer({
        wait: () => Effect.delay(Effect.asVoid(Semaphore.take(semaphore, 1)), "2 seconds"),
        end: () => Effect.asVoid(Semaphore.release(semaphore, 1))
      })
      const service = Service.make((number) => (number === 0 ? busy() : Response.json(Wire.response())))
      const permit = Semaphore.withPermitsIfAvailable(semaphore, 1)
      const waits: Array<string> = []
      const onRetry = () => Effect.map(permit(Effect.void), ({ _tag }) => void waits.push(_tag))
      const layer = entry.pipe(Layer.provide(service.layer))
      const call = Images.generate({ prompt }, { timeout: "1 second", onRetry })
      const fiber = yield* call.pipe(Effect.provide(layer), Effect.forkChild)
      yield* Service.settle
      yield* Service.advance("2 seconds")
      expect(service.asked.length).toBe(1)
      // The call has released its permit before it waits for its retry, so another caller can take the permit, both when
      // `onRetry` runs and later.
      expect(waits).toEqual(["Some"])
      expect((yield* permit(Effect.void))._tag).toBe("Some")
      yield* Service.advance("10 seconds")
      yield* Service.advance("10 seconds")
      yield* Service.join(fiber)
      expect(service.asked.length).toBe(2)
    })
  )
})

describe("retrying", () => {
  it.effect(
    "is announced: onRetry gets the reason, the attempt and the delay before the wait, which can be interrupted",
    () =>
      Effect.gen(function* () {
        const service = Service.make(() => new Response("", { status: 429, headers: { "retry-after": "30" } }))
        const events: Array<unknown> = []
        const onRetry: NonNullable<NonNullable<Parameters<typeof Images.generate>[1]>["onRetry"]> = (event) =>
          Effect.map(Clock.currentTimeMillis, (now) => void events.push({ ...event, reason: event.reason._tag, now }))
        const fiber = yield* Images.generate({ prompt }, { onRetry }).pipe(
          Effect.provide(service.layer),
          Effect.forkChild
        )
        yield* Service.settle
        expect(events).toMatchObject([{ reason: "RateLimitError", attempt: 1, now: 0 }])
        yield* Service.advance("30 seconds")
        expect(events).toMatchObject([{ attempt: 1 }, { attempt: 2, now: 30_000 }])
        const exit = yield* Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
        expect(Exit.hasInterrupts(exit)).toBe(true)
        expect(service.asked.length).toBe(2)
      })
  )
})

describe("transformClient", () => {
  /** A service, and an Effect that makes one call to it through `transformClient` and returns the result. */
  const transformed = (
    transformClient: NonNullable<NonNullable<Parameters<typeof Service.make>[1]>["transformClient"]>
  ) => {
    const service = around(() => Response.json(Wire.response()), { transformClient, retry: RetryPolicy.none })
    return { service, call: Effect.result(generate).pipe(Effect.provide(service.layer)) }
  }

  it.effect("may wait longer than the timeout, which is neither timed nor charged for", () =>
    Effect.gen(function* () {
      const service = around(() => Response.json(Wire.response()), {
        timeout: "1 second",
        transformClient: (client) => ({
          execute: (request) => Effect.andThen(Effect.sleep("2 seconds"), client.execute(request))
        })
      })
      const fiber = yield* generate.pipe(Effect.provide(service.layer), Effect.forkChild)
      yield* Service.settle
      expect(service.log).toEqual(["wait 1"])
      yield* Service.advance("2 seconds")
      yield* Service.join(fiber)
      expect(service.log).toEqual(["wait 1", "begin 1", "end 1 Completed"])
      expect(service.asked.length).toBe(1)
    })
  )

  it.effect("fails before the request: ConnectionError, not retryable", () =>
    Effect.gen(function* () {
      const own = transformed(() => ({ execute: () => Effect.fail(new Error("no token")) }))
      const result = yield* own.call
      expect(Result.isFailure(result) && result.failure.reason).toMatchObject({
        _tag: "ConnectionError",
        isRetryable: false,
        mayHaveBeenCharged: false
      })
      expect([own.service.asked.length, onlyOutcome(own.service)._tag]).toEqual([0, "NotSent"])
    })
  )

  it.effect.each<readonly [string, () => Service.Answer]>([
    ["with a status", () => new Response("{}", { status: 401 })],
    ["with a reply that is not JSON", () => new Response("<html>", { status: 200 })],
    ["by a broken connection", reset]
  ])("fails before the request, because another service failed %s: ConnectionError, not charged for", ([, answer]) =>
    Effect.gen(function* () {
      const { HttpClient } = yield* Effect.promise(() => import("effect/http"))
      const tokens = yield* Effect.provide(HttpClient.HttpClient, Service.transport(answer).layer)
      const headers = { "x-password": "the-secret-of-tokens" }
      const token = Effect.flatMap(
        HttpClient.filterStatusOk(tokens).get("https://tokens.test/", { headers }),
        ({ json }) => json
      )
      const { call, service } = transformed((client) => ({
        execute: (request) => Effect.andThen(token, client.execute(request))
      }))
      const result = yield* call
      expect(Result.isFailure(result) && result.failure.reason).toMatchObject({
        _tag: "ConnectionError",
        reached: "NotSent",
        isRetryable: false,
        mayHaveBeenCharged: false
      })
      expect(Result.isFailure(result) && result.failure.message).toContain("transformClient failed")
      expect(inspect(result, { depth: 50 })).not.toContain("the-secret-of-tokens")
      expect([service.asked.length, onlyOutcome(service)._tag]).toEqual([0, "NotSent"])
    })
  )

  it.effect("fails after the request: DisconnectedError, which may have been charged for", () =>
    Effect.gen(function* () {
      const { call, service } = transformed((client) => ({
        execute: (request) => Effect.andThen(client.execute(request), Effect.fail("it cannot be read"))
      }))
      const result = yield* call
      expect(Result.isFailure(result) && result.failure.reason).toMatchObject({
        _tag: "DisconnectedError",
        mayHaveBeenCharged: true
      })
      expect(onlyOutcome(service)._tag).toBe("Failed")
    })
  )

  it.effect("sends through another client: InvalidResponseError", () =>
    Effect.gen(function* () {
      const other = Service.transport(() => Response.json(Wire.response()))
      const { HttpClient } = yield* Effect.promise(() => import("effect/http"))
      const client = yield* Effect.provide(HttpClient.HttpClient, other.layer)
      const { call, service } = transformed(() => client)
      const result = yield* call
      expect(Result.isFailure(result) && result.failure.reason._tag).toBe("InvalidResponseError")
      expect(service.asked.length).toBe(0)
    })
  )

  describe("repeats a request that may have been charged for", () => {
    /** A client that sends each request twice, whatever the first outcome was. */
    const twice: Parameters<typeof transformed>[0] = (client) => ({
      execute: (request) =>
        Effect.andThen(
          Effect.ignore(Effect.timeout(client.execute(request), "1 minute")),
          Effect.andThen(Effect.sleep("1 second"), client.execute(request))
        )
    })
    const status = (code: number) => Response.json({}, { status: code })
    const cases = [
      { what: "a 500", first: () => status(500), reached: "ErrorStatus" },
      { what: "a reset", first: reset, reached: "Sent" },
      { what: "no reply", first: () => Effect.never, reached: "Sent" },
      { what: "images", first: () => Response.json(Wire.response()), reached: "Accepted" }
    ]
    for (const { first, reached, what } of cases) {
      it.effect.each([401, 429])(`${what}, then %d: the error says so, and the call is not retried`, (code) =>
        Effect.gen(function* () {
          const service = around((number) => (number === 0 ? first() : status(code)), { transformClient: twice })
          const fiber = yield* Effect.forkChild(Effect.flip(Effect.provide(generate, service.layer)))
          yield* Service.settle
          yield* Service.advance("1 minute")
          yield* Service.advance("1 second")
          yield* Service.advance("10 seconds")
          const error = yield* Service.join(fiber)
          expect([error.reason.status, error.mayHaveBeenCharged, service.asked.length]).toEqual([code, true, 2])
          expect(error.attempts.map(({ reason }) => reason.reached)).toEqual([reached, "ErrorStatus"])
        })
      )
    }

    it.effect("a 503 with retry-after and then a 429 are retried: nothing was charged for", () =>
      Effect.gen(function* () {
        const busy503 = () => Response.json({}, { status: 503, headers: { "retry-after": "1" } })
        const answers = [busy503, busy, () => Response.json(Wire.response())]
        const service = around((number) => (answers[number] ?? reset)(), { transformClient: twice })
        const fiber = yield* Effect.forkChild(Effect.exit(Effect.provide(generate, service.layer)))
        yield* Service.settle
        yield* Service.advance("1 second")
        yield* Service.advance("10 seconds")
        yield* Service.advance("1 minute")
        yield* Service.join(fiber)
        expect(service.asked.length).toBe(4)
      })
    )
  })

  it.effect("sends twice: each request is an attempt, with its begin, its end and its timeout", () =>
    Effect.gen(function* () {
      const service = around((number) => (number === 0 ? reset() : Response.json(Wire.response())), {
        transformClient: (client) => ({ execute: (request) => Effect.retry(client.execute(request), { times: 1 }) })
      })
      yield* generate.pipe(Effect.provide(service.layer))
      expect(service.log).toEqual(["wait 1", "begin 1", "end 1 Failed", "wait 2", "begin 2", "end 2 Completed"])
    })
  )
})
