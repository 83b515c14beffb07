import { Emulator, Fault, Ledger } from "@effect-gradient/emulator"
import { assert, describe, it as test, layer } from "@effect/vitest"
import { DateTime, Duration, Effect, Fiber, Logger, Schema, Stream } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { readFileSync } from "node:fs"
import * as Net from "node:net"
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from "node:zlib"
import { post, refused, small } from "./support/wire.ts"

const parse = Schema.decodeEffect(Fault.FaultFromString)
const print = Schema.encodeEffect(Fault.FaultFromString)

const request = JSON.stringify({ ...small, output_format: "jpeg" })

/**
 * Sends a request with this fault over a socket. Returns the bytes that the socket receives, and the code of the error,
 * if one ends it.
 */
const exchange = (fault: string, text: string = request) =>
  Effect.gen(function* () {
    const { port } = new URL(yield* Emulator.baseUrl)
    return yield* Effect.callback<{ readonly received: Buffer; readonly error: string | undefined }>((resume) => {
      const chunks: Array<Buffer> = []
      let error: string | undefined
      const socket = Net.connect(Number(port), "127.0.0.1")
      socket.on("data", (chunk) => chunks.push(chunk))
      socket.on("error", (cause: NodeJS.ErrnoException) => (error = cause.code))
      socket.on("close", () => resume(Effect.succeed({ received: Buffer.concat(chunks), error })))
      socket.write(
        `POST /v1/images/generations HTTP/1.1\r\nhost: emulator.test:${port}\r\nauthorization: Bearer any\r\n` +
          `x-emulator-fault: ${fault}\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`
      )
      return Effect.sync(() => socket.destroy())
    })
  })

const split = (received: Buffer) => {
  const end = received.indexOf("\r\n\r\n")
  return { head: received.subarray(0, end).toString(), body: received.subarray(end + 4) }
}

/** Splits a body with chunked transfer encoding into its chunks. */
const chunksOf = (chunked: Buffer): ReadonlyArray<Buffer> => {
  const chunks: Array<Buffer> = []
  for (let at = 0; ;) {
    const start = chunked.indexOf("\r\n", at) + 2
    const length = Number.parseInt(chunked.toString("latin1", at, start), 16)
    if (length === 0) return chunks
    chunks.push(chunked.subarray(start, start + length))
    at = start + length + 2
  }
}

const decodeReply = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Struct({ created: Schema.Int })))

const lengthIn = (head: string) => Number(/content-length: (\d+)/i.exec(head)?.[1])

describe("FaultFromString", () => {
  test.effect.each([
    ["refuse", { _tag: "refuse" }],
    ["refuse x2", { _tag: "refuse", times: 2 }],
    ["reset-body@50000", { _tag: "reset-body", at: 50_000 }],
    ["stall-headers=5000ms", { _tag: "stall-headers", for: Duration.seconds(5) }],
    ["stall-body@7=250ms", { _tag: "stall-body", at: 7, for: Duration.millis(250) }],
    [
      "status=503;form=gradient;retry-after=2 x3",
      { _tag: "status", status: 503, form: "gradient", retryAfter: 2, times: 3 }
    ],
    ["status=500;form=html;endless", { _tag: "status", status: 500, form: "html", endless: true }],
    ["content-length=-100", { _tag: "content-length", by: -100 }],
    ["retired=openai-gpt-image-2 x1", { _tag: "retired", model: "openai-gpt-image-2", times: 1 }],
    ["content-encoding=gzip,identity", { _tag: "content-encoding", encoding: "gzip,identity" }],
    ["status=429;form=openai;retry-after=0.5", { _tag: "status", status: 429, form: "openai", retryAfter: 0.5 }],
    [
      'status=400;form=openai;body={"a%3Bb":%20"100%25"}',
      { _tag: "status", status: 400, form: "openai", body: '{"a;b": "100%"}' }
    ]
  ] as const)("%s is decoded, and encoded to the same text", ([text, value]) =>
    Effect.gen(function* () {
      const fault = yield* parse(text)
      assert.deepStrictEqual(fault, value)
      assert.strictEqual(yield* print(fault), text)
    })
  )

  test.effect("accepts other units, omitted defaults, and options in another order", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* parse("slow=1.5s"), { _tag: "slow", for: Duration.millis(1500) })
      assert.deepStrictEqual(yield* parse("slow=2m"), { _tag: "slow", for: Duration.minutes(2) })
      assert.deepStrictEqual(yield* parse("reset-body"), { _tag: "reset-body", at: 0 })
      assert.deepStrictEqual(yield* parse("status=500"), { _tag: "status", status: 500, form: "openai" })
      assert.deepStrictEqual(yield* parse(" status=429;retry-after=2;form=html "), {
        _tag: "status",
        status: 429,
        retryAfter: 2,
        form: "html"
      })
    })
  )

  test.effect.each([
    ["explode", "one of refuse, not-http, "],
    ["", "one of refuse, not-http, "],
    ["constructor", "one of refuse, not-http, "],
    ["slow=1s;constructor=1", 'slow has no option "constructor"'],
    ["status", "status needs a value: write status=<200-599>"],
    ["stall-body", "stall-body needs a value: write stall-body=<duration>"],
    ["stall-body@100", "stall-body needs a value: write stall-body=<duration>"],
    ["status=400;body=%zz", "%25 for %"],
    ["status=400;body=%ff", "percent-encoded UTF-8"],
    ["content-encoding=lzw", "gzip, br"],
    ["status=999", "a status from 200 to 599"],
    ["status=500;colour=red", 'status has no option "colour"'],
    ["status=500;form=xml", '"gradient"'],
    ["reset=5", "reset has no =VALUE"],
    ["status=429;retry-after=1 x", "status@BYTE=VALUE;OPTION=VALUE xN"],
    ["reset-body@end", "a whole number"],
    ["stall-body@5=10", "500ms, 5s or 2m"],
    ["redirect=home", '"other"'],
    ["reset x0", "a number of requests"]
  ] as const)("refuses %o and names what is allowed", ([text, allowed]) =>
    Effect.map(Effect.flip(parse(text)), (error) => assert.include(error.message, allowed))
  )
})

describe("make", () => {
  test.effect.each([
    ["stall-body=5s", { _tag: "stall-body", at: 0, for: Duration.seconds(5) }],
    [
      { _tag: "stall-body", for: "5 seconds" },
      { _tag: "stall-body", at: 0, for: Duration.seconds(5) }
    ],
    [
      { _tag: "slow", for: 250, times: 2 },
      { _tag: "slow", for: Duration.millis(250), times: 2 }
    ],
    [
      { _tag: "status", status: 503, retryAfterDate: "1 minute" },
      { _tag: "status", status: 503, form: "openai", retryAfterDate: Duration.minutes(1) }
    ],
    [
      { _tag: "status", status: 400, body: "a b;100%" },
      { _tag: "status", status: 400, form: "openai", body: "a b;100%" }
    ]
  ] as const satisfies ReadonlyArray<readonly [Fault.Input, Fault.Fault]>)(
    "fills in the defaults of %o",
    ([input, fault]) => Effect.map(Fault.make(input), (made) => assert.deepStrictEqual(made, fault))
  )

  test.effect.each([
    ["stall-body", "stall-body needs a value: write stall-body=<duration>"],
    [{ _tag: "status", status: 999 }, "status: status: Expected a status from 200 to 599"],
    [{ _tag: "reset", times: 0 }, "reset: times: Expected a number of requests"],
    [{ _tag: "slow", for: "Infinity" }, "slow: for: Expected a duration, such as 500ms"],
    [{ _tag: "reset-body", at: -1 }, "reset-body: at: Expected a whole number from 0"]
  ] as const satisfies ReadonlyArray<readonly [Fault.Input, string]>)(
    "refuses %o, and names the fault, the option and what is allowed",
    ([input, words]) => Effect.map(Effect.flip(Fault.make(input)), (error) => assert.include(error.message, words))
  )
})

test("the grammar and the README list every fault", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")
  for (const name of Fault.names) {
    assert.match(Fault.grammar, new RegExp(`^${name}(?![a-z-])`, "m"))
    assert.match(readme, new RegExp(`^\\|.*\`${name}(?![a-z-]).*\\|.*\\|`, "m"), name)
  }
})

describe("faults of the options", () => {
  const statuses = (requests: number) =>
    Effect.forEach(Array.from({ length: requests }), () => Effect.map(post(small), ({ status }) => status))

  test.effect("are applied in order, each to as many requests as `times` says, or to all", () =>
    Effect.gen(function* () {
      const faults = yield* Effect.forEach(["status=429 x2", "status=503 x1"], (text) => parse(text))
      const met = yield* Effect.provide(statuses(4), Emulator.layerHttpClient({ faults }))
      assert.deepStrictEqual(met, [429, 429, 503, 200])
      assert.deepStrictEqual(
        yield* Effect.provide(statuses(2), Emulator.layerHttpClient({ faults: ["status=429"] })),
        [429, 429]
      )
    })
  )

  const modelStatus = (model: string) => Effect.map(post({ ...small, model }), ({ status }) => status)

  test.effect("retire a model: its requests get a 404 and are not charged for, and the list lacks it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* Effect.forEach(["openai-gpt-image-2", "openai-gpt-image-1.5"], modelStatus),
        [404, 200]
      )
      const { entries } = yield* (yield* Ledger.Ledger).account
      assert.deepStrictEqual(
        entries.map(({ model }) => model),
        ["openai-gpt-image-1.5"]
      )
      const list = yield* HttpClient.get("http://emulator.test/v1/models", { headers: { authorization: "Bearer any" } })
      assert.notInclude(yield* list.text, '"openai-gpt-image-2"')
    }).pipe(Effect.provide(Emulator.layerHttpClient({ faults: ["retired=openai-gpt-image-2"] })))
  )

  test.effect("retire a model for `times` of its requests; other requests get the other faults", () =>
    Effect.gen(function* () {
      const asked = ["openai-gpt-image-1.5", "openai-gpt-image-2", "openai-gpt-image-2"]
      assert.deepStrictEqual(yield* Effect.forEach(asked, modelStatus), [429, 404, 200])
    }).pipe(Effect.provide(Emulator.layerHttpClient({ faults: ["retired=openai-gpt-image-2 x1", "status=429 x1"] })))
  )
})

describe("the header x-emulator-fault", () => {
  const headers = { authorization: "Bearer any", "x-emulator-fault": "status=429 x1" }

  test.effect("is ignored unless it is allowed", () =>
    Effect.map(post(small, headers), ({ status }) => assert.strictEqual(status, 200)).pipe(
      Effect.provide(Emulator.layerHttpClient())
    )
  )

  test.effect("sets the fault of its request, for as many requests as the fault says", () =>
    Effect.gen(function* () {
      const met = yield* Effect.all([post(small, headers), post(small, headers), post(small)])
      assert.deepStrictEqual(
        met.map(({ status }) => status),
        [429, 200, 200]
      )
    }).pipe(Effect.provide(Emulator.layerHttpClient({ allowFaultHeader: true })))
  )

  test.effect("form=empty and content-type=none send no content type", () =>
    Effect.gen(function* () {
      for (const fault of ["status=500;form=empty", "status=500;content-type=none"]) {
        const { headers: replied } = yield* post(small, { ...headers, "x-emulator-fault": fault })
        assert.notProperty(replied, "content-type")
      }
    }).pipe(Effect.provide(Emulator.layerHttpClient({ allowFaultHeader: true })))
  )

  test.effect("is refused with 400 if it is not a fault", () =>
    Effect.gen(function* () {
      const error = yield* refused(small, { ...headers, "x-emulator-fault": "explode" })
      assert.deepInclude(error, { status: 400, code: "invalid_fault" })
      assert.include(error.message, "stall-headers")
    }).pipe(Effect.provide(Emulator.layerHttpClient({ allowFaultHeader: true })))
  )
})

describe("the ledger", () => {
  const answered = (faults: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      for (const fault of faults) {
        yield* Effect.exit(
          Effect.flatMap(post(small, { authorization: "Bearer any", "x-emulator-fault": fault }), ({ text }) => text)
        )
      }
      const { account } = yield* Ledger.Ledger
      return yield* account
    }).pipe(Effect.provide(Emulator.layerHttpClient({ allowFaultHeader: true })))

  test.effect("has the prompt, model, time and id of each generation, also as JSON", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 hour")
      const { headers } = yield* post({ ...small, model: "openai-gpt-image-2", n: 2 })
      const response = yield* HttpClient.get("http://emulator.test/emulator/ledger")
      const account = yield* Schema.decodeUnknownEffect(Ledger.Json)(yield* response.json)
      assert.deepStrictEqual(account, yield* Effect.flatMap(Ledger.Ledger, (ledger) => ledger.account))
      assert.strictEqual(account.requests, 1)
      const entry = new Ledger.Entry({
        id: headers["x-request-id"] ?? "",
        prompt: small.prompt,
        model: "openai-gpt-image-2",
        n: 2,
        at: DateTime.makeUnsafe(3_600_000)
      })
      assert.deepStrictEqual(account.entries, [entry])
    }).pipe(Effect.provide(Emulator.layerHttpClient()))
  )

  test.effect("has no entry for a refused request", () =>
    Effect.gen(function* () {
      const { entries, requests } = yield* answered([
        "refuse",
        "status=400",
        "status=429;retry-after=1",
        "status=503;retry-after=1",
        "redirect=same",
        "error-event;after=0"
      ])
      assert.strictEqual(requests, 6)
      assert.deepStrictEqual(entries, [])
    })
  )

  test.effect("has an entry for a request that failed after it was accepted", () =>
    Effect.gen(function* () {
      const { entries } = yield* answered(["reset", "reset-headers", "reset-body@9", "status=500", "cut-event@9"])
      assert.strictEqual(entries.length, 5)
    })
  )

  test.effect("keeps the entry of a client that left before its image arrived", () =>
    Effect.gen(function* () {
      const waiting = yield* Effect.forkChild(post(small))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(waiting)
      const { entries } = yield* Effect.flatMap(Ledger.Ledger, (ledger) => ledger.account)
      assert.strictEqual(entries.length, 1)
    }).pipe(Effect.provide(Emulator.layerHttpClient({ latency: "1 minute" })))
  )

  test.live("has the time at which a client left, unless the client had its images", () =>
    Effect.gen(function* () {
      const ledger = yield* Ledger.Ledger
      yield* Effect.timeoutOption(post(small), "50 millis")
      const stream = { ...small, stream: true, partial_images: 2 }
      const read = (chunks: number) =>
        Effect.flatMap(post(stream), (response) => Stream.runDrain(Stream.take(response.stream, chunks)))
      yield* Effect.forEach([1, 3], read)
      yield* Effect.flatMap(post(small), ({ text }) => text)
      const { entries } = yield* ledger.account
      const waited = entries.map(
        ({ at, leftAt }) => leftAt && DateTime.toEpochMillis(leftAt) - DateTime.toEpochMillis(at)
      )
      assert.isAtLeast(waited[0] ?? 0, 40)
      assert.isBelow(waited[0] ?? 0, 2000)
      assert.isAtLeast(waited[1] ?? 0, 2000)
      assert.deepStrictEqual(waited.slice(2), [undefined, undefined])
    }).pipe(Effect.provide(Emulator.layerHttpClient({ latency: "2 seconds", pace: "10 millis", images: "plain" })))
  )

  test.live("has that time on a port too, but not if a fault closed the connection", () =>
    Effect.gen(function* () {
      const ledger = yield* Ledger.Ledger
      const url = `${yield* Emulator.baseUrl}/images/generations`
      const exit = (fault: string) =>
        Effect.exit(
          Effect.tryPromise(async (signal) => {
            const headers = { authorization: "Bearer any", "x-emulator-fault": fault }
            const response = await fetch(url, { method: "POST", headers, body: request, signal })
            await response.text()
          })
        )
      yield* Effect.timeoutOption(exit("stall-body@100=1m"), "300 millis")
      yield* exit("reset-body@100")
      yield* exit("one-byte")
      yield* Effect.sleep("100 millis")
      const { entries } = yield* ledger.account
      assert.deepStrictEqual(
        entries.map(({ leftAt }) => leftAt !== undefined),
        [true, false, false]
      )
    }).pipe(Effect.provide(Emulator.layerServer({ port: 0, allowFaultHeader: true })))
  )

  test.effect("belongs to one emulator", () =>
    Effect.gen(function* () {
      const count = Effect.gen(function* () {
        yield* post(small)
        return (yield* (yield* Ledger.Ledger).account).requests
      }).pipe(Effect.provide(Emulator.layerHttpClient()))
      assert.deepStrictEqual(yield* Effect.all([count, count]), [1, 1])
    })
  )
})

describe("the log", () => {
  /** Returns the lines that the emulator logs while `run` runs. */
  const logged = <E, R>(run: Effect.Effect<unknown, E, R>) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const collect = Logger.make(({ message }) => lines.push(String(message)))
      yield* Effect.provide(run, Logger.layer([collect]))
      return lines.map((line) => line.replace(/\d+ ms/, "N ms"))
    })
  const logging = Emulator.layerHttpClient({ allowFaultHeader: true, logRequests: true })
  const send = (fault?: string) =>
    Effect.exit(
      Effect.flatMap(
        post({ ...small, n: 2 }, { authorization: "Bearer any", ...(fault ? { "x-emulator-fault": fault } : {}) }),
        ({ text }) => text
      )
    )

  test.effect("has a line for each request with status, time and what was charged", () =>
    Effect.gen(function* () {
      const lines = yield* logged(
        Effect.gen(function* () {
          yield* Effect.forEach([undefined, "status=429", "status=500", "reset-body"], send)
          yield* HttpClient.get("http://emulator.test/v1/models")
          yield* HttpClient.get("http://emulator.test/elsewhere")
        })
      )
      assert.deepStrictEqual(lines, [
        "POST /v1/images/generations 200 N ms, charged: 2 x openai-gpt-image-2",
        "POST /v1/images/generations 429 N ms, not charged",
        "POST /v1/images/generations 500 N ms, charged: 2 x openai-gpt-image-2",
        "POST /v1/images/generations 200 N ms, charged: 2 x openai-gpt-image-2, the connection was broken by a fault",
        "GET /v1/models 401 N ms, not charged",
        "GET /elsewhere 404 N ms, not charged"
      ])
    }).pipe(Effect.provide(logging))
  )

  test.effect("records that the client left", () =>
    Effect.gen(function* () {
      const lines = yield* logged(
        Effect.gen(function* () {
          const waiting = yield* Effect.forkChild(send("stall-headers=1m"))
          yield* TestClock.adjust("2 seconds")
          yield* Fiber.interrupt(waiting)
        })
      )
      assert.deepStrictEqual(lines, [
        "POST /v1/images/generations - N ms, charged: 2 x openai-gpt-image-2, the client left"
      ])
    }).pipe(Effect.provide(logging))
  )

  test.effect("is empty without `logRequests`", () =>
    Effect.map(logged(send()), (lines) => assert.deepStrictEqual(lines, [])).pipe(
      Effect.provide(Emulator.layerHttpClient())
    )
  )
})

layer(Emulator.layerServer({ port: 0, allowFaultHeader: true }))("on the socket", (it) => {
  it.effect("refuse and reset send nothing", () =>
    Effect.gen(function* () {
      for (const fault of ["refuse", "reset"]) {
        assert.deepStrictEqual(yield* exchange(fault), { received: Buffer.alloc(0), error: "ECONNRESET" })
      }
    })
  )

  it.effect("reset-headers sends a part of the headers", () =>
    Effect.gen(function* () {
      const { error, received } = yield* exchange("reset-headers")
      assert.match(received.toString(), /^HTTP\/1\.1 200 OK\r\n[^\r]+$/)
      assert.strictEqual(error, "ECONNRESET")
    })
  )

  it.effect("reset-body sends that many bytes of the body", () =>
    Effect.gen(function* () {
      for (const bytes of [0, 1000]) {
        const { error, received } = yield* exchange(`reset-body@${bytes}`)
        const reply = split(received)
        assert.strictEqual(reply.body.length, bytes)
        assert.isAbove(lengthIn(reply.head), bytes)
        assert.strictEqual(error, "ECONNRESET")
      }
    })
  )

  it.effect("content-length is too small or too large", () =>
    Effect.gen(function* () {
      for (const by of [-10, 10]) {
        const reply = split((yield* exchange(`content-length=${by}`)).received)
        assert.strictEqual(lengthIn(reply.head), reply.body.length + by)
        yield* decodeReply(reply.body.toString())
      }
    })
  )

  it.effect("cut-event ends the body properly, after that many bytes of the last event", () =>
    Effect.gen(function* () {
      const { error, received } = yield* exchange("cut-event@20")
      const reply = split(received)
      assert.strictEqual(reply.body.length, 20)
      assert.strictEqual(lengthIn(reply.head), 20)
      assert.isUndefined(error)
    })
  )

  it.effect("one-byte sends each byte in its own chunk", () =>
    Effect.gen(function* () {
      const { received } = yield* exchange(
        "one-byte",
        JSON.stringify({ ...small, output_format: "jpeg", stream: true })
      )
      const chunks = chunksOf(split(received).body)
      assert.isTrue(chunks.every((chunk) => chunk.length === 1))
      assert.match(Buffer.concat(chunks).toString(), /^event: image_generation.partial_image\n/)
    })
  )

  it.effect.each([
    ["gzip", "gzip", gunzipSync],
    ["br", "br", brotliDecompressSync],
    ["zstd", "zstd", zstdDecompressSync],
    ["deflate", "deflate", inflateSync],
    ["deflate-raw", "deflate", inflateRawSync],
    ["gzip,br", "gzip, br", (bytes: Buffer) => gunzipSync(brotliDecompressSync(bytes))],
    ["gzip,identity", "gzip, identity", gunzipSync]
  ] as const)("content-encoding=%s encodes a good reply and an error as its header says", ([given, header, decode]) =>
    Effect.gen(function* () {
      for (const fault of [`content-encoding=${given}`, `status=429;body={"created":1};content-encoding=${given}`]) {
        const reply = split((yield* exchange(fault)).received)
        assert.match(reply.head, new RegExp(`content-encoding: ${header}\\r`, "i"))
        yield* decodeReply(decode(Buffer.concat(chunksOf(reply.body))).toString())
      }
    })
  )

  const streamed = JSON.stringify({ ...small, output_format: "jpeg", stream: true })
  const reply = (fault: string, text = request) =>
    Effect.map(exchange(fault, text), ({ received }) => {
      const { body: raw, head } = split(received)
      const isChunked = /transfer-encoding: chunked/i.test(head)
      return { head, text: (isChunked ? Buffer.concat(chunksOf(raw)) : raw).toString() }
    })
  const decodeData = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)))
  const dataOf = (text: string) => [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => decodeData(data))

  it.effect("content-type changes or removes the header of JSON and of a stream", () =>
    Effect.gen(function* () {
      for (const text of [request, streamed]) {
        assert.match((yield* reply("content-type=text/plain", text)).head, /content-type: text\/plain\r/i)
        const none = yield* reply("content-type=none", text)
        assert.notMatch(none.head, /content-type/i)
        assert.include(none.text, "b64_json")
      }
    })
  )

  it.effect("swap-stream sends events for a JSON request, and JSON for a stream", () =>
    Effect.gen(function* () {
      const events = yield* reply("swap-stream")
      assert.match(events.head, /text\/event-stream/)
      assert.deepStrictEqual(
        dataOf(events.text).map(({ type }) => type),
        ["image_generation.completed"]
      )
      const json = yield* reply("swap-stream", streamed)
      assert.match(json.head, /application\/json/)
      yield* decodeReply(json.text)
    })
  )

  it.effect("no-blank-line ends the body after the last event's data line", () =>
    Effect.gen(function* () {
      const { text } = yield* reply("no-blank-line", streamed)
      assert.match(text, /\}\n$/)
      assert.notMatch(text, /\n\n$/)
      assert.strictEqual(dataOf(text).length, 2)
    })
  )

  it.effect("empty-image and image-url change only the final image", () =>
    Effect.gen(function* () {
      assert.include((yield* reply("empty-image")).text, '"data":[{"b64_json":""')
      assert.match((yield* reply("image-url")).text, /"data":\[\{"url":"https:/)
      for (const [fault, member] of [
        ["empty-image", "b64_json"],
        ["image-url", "url"]
      ] as const) {
        const [partial, completed] = dataOf((yield* reply(fault, streamed)).text)
        assert.notStrictEqual(partial?.["b64_json"], "")
        assert.isTrue(!completed?.["b64_json"])
        assert.isDefined(completed?.[member])
      }
    })
  )

  it.effect("no-metadata, wrong-types and empty-error keep the image", () =>
    Effect.gen(function* () {
      const members = (fault: string) =>
        Effect.map(reply(fault, streamed), ({ text }) => dataOf(text).map((data) => Object.keys(data).toSorted()))
      assert.deepStrictEqual(yield* members("no-metadata"), [
        ["b64_json", "type"],
        ["b64_json", "type"]
      ])
      const [partial, completed] = dataOf((yield* reply("wrong-types", streamed)).text)
      assert.deepInclude(partial, { created_at: "yesterday", partial_image_index: "first" })
      assert.deepInclude(completed, { created_at: "yesterday", usage: "much" })
      const { text } = yield* reply("empty-error")
      assert.include(text, '"error":{}')
      yield* decodeReply(text)
    })
  )

  it.effect("large-head makes the headers larger, and not-http sends no HTTP", () =>
    Effect.gen(function* () {
      assert.isAbove((yield* reply("large-head=20000")).head.length, 20_000)
      assert.match((yield* exchange("not-http")).received.toString(), /^SSH-2\.0-/)
    })
  )

  it.effect("status sends the body, content type and rate limit headers of its options", () =>
    Effect.gen(function* () {
      const { head, text } = yield* reply('status=400;body={"a":%20"b%3Bc"};content-type=text/html;reset=30s')
      assert.strictEqual(text, '{"a": "b;c"}')
      assert.match(head, /^HTTP\/1\.1 400 /)
      assert.match(head, /content-type: text\/html\r/i)
      assert.match(head, /x-ratelimit-remaining-requests: 0\r/i)
      assert.notMatch((yield* reply("status=200;body=null;content-type=none")).head, /content-type/i)
    })
  )

  it.effect("redirect goes to the same origin, or to another one", () =>
    Effect.gen(function* () {
      const location = (received: Buffer) => /location: (\S+)/i.exec(split(received).head)?.[1]
      assert.strictEqual(location((yield* exchange("redirect=same")).received), "/v1/images/generations")
      assert.match(
        location((yield* exchange("redirect=other")).received) ?? "",
        /^http:\/\/elsewhere\.emulator\.test:\d+\/v1\/images\/generations$/
      )
    })
  )
})
