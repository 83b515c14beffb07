/**
 * Tests each fault with `generate` and `generateStream`: over undici, over fetch and in process. A table has at least
 * one row for each fault. A row has the expected outcome of both calls: the error, if there is one, the images, the
 * requests that are sent and what is charged.
 */
import { GradientClient, type GradientError, Images } from "@effect-gradient/core"
import { Emulator, Fault, Ledger } from "@effect-gradient/emulator"
import { NodeImages } from "@effect-gradient/node"
import { afterAll, assert, beforeAll, describe, it as test, layer } from "@effect/vitest"
import { Effect, Layer, Redacted, Schedule, Stream } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { Socket } from "node:net"

interface Outcome {
  readonly reason: GradientError.GradientErrorReason["_tag"] | "none"
  readonly phase?: string
  readonly isRetryable: boolean
  readonly mayHaveBeenCharged: boolean
  /** The number of images that the call returns, or that its error carries. */
  readonly images: number
  /**
   * `requests` is the number of requests that the emulator received, `charged` the number of generations that it would
   * have charged for.
   */
  readonly requests: number
  readonly charged: number
}

const one = { requests: 1, charged: 1 }
const free = { mayHaveBeenCharged: false, images: 0, charged: 0 }

const done: Outcome = { reason: "none", isRetryable: false, mayHaveBeenCharged: false, images: 1, ...one }
/** The outcome of a temporary failure that may have been charged for. Such a call is not retried. */
const lost = (reason: Outcome["reason"], images = 0): Outcome => ({
  reason,
  isRetryable: true,
  mayHaveBeenCharged: true,
  images,
  ...one
})
const late = (phase: string, images = 0): Outcome => ({ ...lost("RequestTimeoutError", images), phase })
const invalid = (images = 0): Outcome => ({ ...lost("InvalidResponseError", images), isRetryable: false })
/** The outcome of a permanent failure that was not charged for. Such a call is not retried. */
const refused = (reason: Outcome["reason"]): Outcome => ({ reason, isRetryable: false, ...free, requests: 1 })
/**
 * The outcome of a temporary failure that was not charged for. Such a call is retried, by default twice. `requests` is
 * lower if it is not retried, or if no request reaches the emulator.
 */
const tried = (reason: Outcome["reason"], requests = 3): Outcome => ({ reason, isRetryable: true, ...free, requests })

interface Row {
  readonly fault: string
  readonly generate: Outcome
  readonly stream: Outcome
  /** The outcomes in process, if they differ from those on a port. */
  readonly inProcess?: Partial<Pick<Row, "generate" | "stream">>
  readonly options?: Pick<GradientClient.RequestOptions, "timeout" | "idleTimeout">
}

const both = (fault: string, outcome: Outcome, options: Row["options"] = {}): Row => ({
  fault,
  generate: outcome,
  stream: outcome,
  options
})

const impatient = { timeout: "500 millis" } as const
const restless = { idleTimeout: "300 millis" } as const

/** END stands for a position near the end of the reply: after the image, but before the reply is complete. */
const rows: ReadonlyArray<Row> = [
  // On a port the emulator accepts the connection and closes it, so nothing proves that the request was not sent.
  {
    ...both("refuse", { ...lost("DisconnectedError"), charged: 0 }),
    inProcess: both("refuse", tried("ConnectionError"))
  },
  both("reset", lost("DisconnectedError")),
  both("reset-headers", lost("DisconnectedError")),
  both("reset-body", lost("DisconnectedError")),
  both("reset-body@100", lost("DisconnectedError")),
  both("reset-body@END", lost("DisconnectedError", 1)),
  both("stall-headers=10m", late("response"), impatient),
  both("stall-body=10m", late("idle"), restless),
  both("stall-body@100=10m", late("idle"), restless),
  { fault: "slow=1s", generate: late("response"), stream: done, options: impatient },
  both("status=200;form=html", { ...invalid(), charged: 0 }),
  {
    fault: "status=204;form=empty",
    generate: { ...invalid(), charged: 0 },
    stream: { ...lost("IncompleteStreamError"), charged: 0 }
  },
  both("status=400", refused("BadRequestError")),
  both("status=400;code=moderation_blocked", refused("ContentPolicyError")),
  both("status=401;form=gradient", refused("AuthenticationError")),
  both("status=402", refused("QuotaExceededError")),
  both("status=403;form=empty", refused("PermissionDeniedError")),
  both("status=404;form=html", refused("NotFoundError")),
  both("status=408", tried("BadRequestError")),
  both("status=409;form=gradient", tried("ConflictError")),
  both("status=422;form=html;endless", refused("UnprocessableEntityError")),
  both("status=429;form=gradient", tried("RateLimitError")),
  both("status=429;code=insufficient_quota", refused("QuotaExceededError")),
  both("status=429;retry-after=0", tried("RateLimitError")),
  both("status=429;retry-after=3600", tried("RateLimitError", 1)),
  both("status=429;retry-after-date=60m", tried("RateLimitError", 1)),
  both("status=429;retry-after-ms=5", tried("RateLimitError")),
  both("status=500", lost("InternalServerError")),
  both("status=502;form=html;endless", lost("InternalServerError")),
  both("status=503", lost("InternalServerError")),
  both("status=503;retry-after-ms=5;form=gradient", tried("InternalServerError")),
  both("status=504;form=empty", lost("InternalServerError")),
  both("status=200;body=null", { ...invalid(), charged: 0 }),
  both("status=200;content-type=text/event-stream;body=data:%20{%22error%22:{%22code%22:429}}%0A%0A", {
    ...tried("RateLimitError", 1),
    mayHaveBeenCharged: true
  }),
  both("status=400;body={%22statusCode%22:400,%22message%22:%22size%20must%20be%20...%22}", refused("BadRequestError")),
  both("status=429;retry-after=0.1", tried("RateLimitError")),
  both("status=429;reset=60m", tried("RateLimitError", 1)),
  both("status=429;retry-after=0;content-encoding=gzip", tried("RateLimitError")),
  both("not-http", { ...invalid(), charged: 0 }),
  both("retired=openai-gpt-image-2", refused("NotFoundError")),
  both("large-head=12000", done),
  both("content-type=application/octet-stream", done),
  both("content-type=none", done),
  both("swap-stream", done),
  both("no-blank-line", done),
  { fault: "empty-image", generate: invalid(), stream: invalid(1) },
  { fault: "image-url", generate: invalid(), stream: invalid(1) },
  both("empty-error", done),
  both("no-metadata", done),
  both("redirect=same", refused("InvalidResponseError")),
  both("redirect=other", refused("InvalidResponseError")),
  { fault: "cut-event@100", generate: invalid(), stream: lost("IncompleteStreamError", 1) },
  { fault: "no-completed", generate: done, stream: lost("IncompleteStreamError", 1) },
  { fault: "error-event", generate: lost("InternalServerError"), stream: lost("InternalServerError", 1) },
  both("error-event;after=0;code=moderation_blocked", refused("ContentPolicyError")),
  both("completed-first", done),
  both("invalid-base64", invalid()),
  both("wrong-types", done),
  { fault: "content-length=-150", generate: invalid(1), stream: lost("IncompleteStreamError", 1) },
  // The header is wrong, but the client has a complete reply: its JSON is closed, or its last event has arrived.
  both("content-length=+100", done),
  { fault: "endless-event", generate: invalid(), stream: invalid(1) },
  both("one-byte", done),
  {
    ...both("content-encoding=gzip,br", done),
    // In process, nothing undoes the content encoding.
    inProcess: { generate: invalid(), stream: invalid() }
  }
]

const params = {
  prompt: "a red flower",
  size: "64x64",
  quality: "low",
  outputFormat: "jpeg",
  outputCompression: 1
} as const

const calls = {
  generate: (options: GradientClient.RequestOptions) =>
    Effect.map(Images.generate(params, options), ({ data }) => data.length),
  stream: (options: GradientClient.RequestOptions) =>
    Images.generateStream(params, options).pipe(
      Stream.filter((event) => event._tag === "Completed"),
      Stream.runCount
    )
}

type Call = keyof typeof calls

/**
 * Makes the call over this transport and returns its outcome. It is retried as by default, but without the delays of
 * the default policy.
 */
const outcomeOf = Effect.fnUntraced(function* (
  call: Call,
  options: GradientClient.RequestOptions,
  baseUrl: string,
  transport: Layer.Layer<HttpClient.HttpClient>
) {
  const { account } = yield* Ledger.Ledger
  const client = GradientClient.layer({
    baseUrl,
    modelAccessKey: Redacted.make("any"),
    retry: Schedule.recurs(2),
    limits: { imageBytes: 100_000 }
  })
  const before = yield* account
  const result = yield* calls[call](options).pipe(
    Effect.result,
    Effect.provide(Images.layer.pipe(Layer.provide(client), Layer.provide(transport)))
  )
  const after = yield* account
  const seen = {
    requests: after.requests - before.requests,
    charged: after.entries.length - before.entries.length
  }
  if (result._tag === "Success") return { ...done, images: result.success, ...seen } satisfies Outcome
  const { attempts, isRetryable, mayHaveBeenCharged, message, reason } = result.failure
  assert.isAbove(message.length, 20)
  assert.isBelow(message.length, 2000)
  if (seen.requests > 0) assert.strictEqual(attempts.length, seen.requests)
  return {
    reason: reason._tag,
    ...(reason._tag === "RequestTimeoutError" ? { phase: reason.phase } : {}),
    isRetryable,
    mayHaveBeenCharged,
    images: reason.images.length,
    ...seen
  } satisfies Outcome
})

/** Returns the options of a call that gets the fault of this row. */
const optionsFor = Effect.fnUntraced(function* ({ fault, options }: Row, call: Call) {
  const text = fault.includes("END") ? fault.replace("END", String((yield* replyLength(call)) - 150)) : fault
  return { ...options, headers: { [Fault.headerName]: text } }
})

/** Returns the length of the body of a reply without a fault. */
const replyLength = (call: Call) =>
  Effect.gen(function* () {
    let length = 0
    const counting = HttpClient.transformResponse(
      yield* HttpClient.HttpClient,
      Effect.tap(({ text }) => Effect.map(text, (body) => (length = body.length)))
    )
    const client = GradientClient.layer({ modelAccessKey: Redacted.make("any") })
    yield* calls[call]({}).pipe(
      Effect.provide(
        Images.layer.pipe(Layer.provide(client), Layer.provide(Layer.succeed(HttpClient.HttpClient, counting)))
      )
    )
    return length
  }).pipe(Effect.provide(Emulator.layerHttpClient()))

const undiciTransport = Layer.orDie(NodeImages.layerHttpClient())
const fetchTransport = FetchHttpClient.layer.pipe(
  Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }))
)

/** The sockets that servers in this process have accepted since the list was last cleared. */
const accepted: Array<Socket> = []
const onSocket = (message: unknown) => {
  if (typeof message === "object" && message !== null && "socket" in message && message.socket instanceof Socket) {
    accepted.push(message.socket)
  }
}
beforeAll(() => subscribe("net.server.socket", onSocket))
afterAll(() => unsubscribe("net.server.socket", onSocket))

/** Waits until every accepted socket is closed, and clears the list. */
const allClosed = Effect.promise(async () => {
  for (const socket of accepted.splice(0)) {
    if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve))
  }
})

const timersRunning = () => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length

const faulty = { allowFaultHeader: true } as const

layer(Emulator.layerServer({ port: 0, ...faulty }), { excludeTestServices: true })("on a port", (it) => {
  for (const row of rows) {
    for (const call of ["generate", "stream"] as const) {
      it.effect(`${row.fault}: ${call} over undici`, () =>
        Effect.gen(function* () {
          const options = yield* optionsFor(row, call)
          const baseUrl = yield* Emulator.baseUrl
          assert.deepStrictEqual(yield* outcomeOf(call, options, baseUrl, undiciTransport), row[call])
          yield* allClosed
        })
      )

      it.effect(`${row.fault}: ${call} over fetch`, () =>
        Effect.gen(function* () {
          const { headers, ...options } = yield* optionsFor(row, call)
          const baseUrl = yield* Emulator.baseUrl
          // Without `connection: close`, fetch would keep the connection open for a next request.
          const closing = { ...options, headers: { ...headers, connection: "close" } }
          assert.deepStrictEqual(yield* outcomeOf(call, closing, baseUrl, fetchTransport), row[call])
          yield* allClosed
        })
      )
    }
  }
})

test("the table has every fault", () => {
  assert.sameMembers([...new Set(rows.map(({ fault }) => /^[a-z0-9-]+/.exec(fault)?.[0]))], [...Fault.names])
})

describe("in process", () => {
  for (const row of rows) {
    for (const call of ["generate", "stream"] as const) {
      test.live(`${row.fault}: ${call}`, () =>
        Effect.gen(function* () {
          const transport = Layer.succeed(HttpClient.HttpClient, yield* HttpClient.HttpClient)
          const timers = timersRunning()
          const outcome = yield* outcomeOf(call, yield* optionsFor(row, call), "http://emulator.test/v1", transport)
          assert.deepStrictEqual(outcome, row.inProcess?.[call] ?? row[call])
          // In process there are no sockets. A fiber that was left behind would wait on a timer, so timers are counted.
          // The timer that woke this test counts as running until the next turn of the event loop.
          yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          assert.isAtMost(timersRunning(), timers)
        }).pipe(Effect.provide(Emulator.layerHttpClient(faulty)))
      )
    }
  }
})

describe("a port on which nothing listens", () => {
  for (const call of ["generate", "stream"] as const) {
    for (const [name, transport] of [
      ["undici", undiciTransport],
      ["fetch", fetchTransport]
    ] as const) {
      test.live(`refuse: ${call} over ${name}`, () =>
        Effect.gen(function* () {
          const outcome = yield* outcomeOf(call, {}, yield* Emulator.baseUrl, transport)
          assert.deepStrictEqual(outcome, tried("ConnectionError", 0))
        }).pipe(Effect.provide(Emulator.layerServer({ port: 0, faults: [{ _tag: "refuse" }] })))
      )
    }
  }
})
