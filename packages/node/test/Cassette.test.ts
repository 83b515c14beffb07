import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { GradientClient, ImageGenStreamEvent, ImageStream, Images, RetryPolicy } from "@effect-gradient/core"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import { NodeImages } from "@effect-gradient/node"
import { Cassette } from "@effect-gradient/node/testing"
import { Cause, Deferred, Effect, Exit, Fiber, FileSystem, Layer, Redacted, Stream } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import { completed, partialImage, responseBody, serve } from "./support/server.ts"

const params = { prompt: "A sea otter" }
const streaming = { ...params, partialImages: 2 }
const key = `sk-do-the-key-that-"no"-file-may-have`
const png = Buffer.from(TestImages.png)
const webp = Buffer.from(TestImages.webp)

const live = (baseUrl: string) => ({ baseUrl, modelAccessKey: Redacted.make(key) })

const images = <E, R>(http: Layer.Layer<HttpClient.HttpClient, E, R>, options: GradientClient.Options = {}) =>
  Images.layer.pipe(Layer.provide(GradientClient.layer(options)), Layer.provide(http))

const recording = (path: string, script: TestTransport.Script, options: GradientClient.Options = {}) =>
  images(Cassette.layerRecord(path).pipe(Layer.provide(TestTransport.layer(script))), options)

const replaying = (path: string) => images(Cassette.layerReplay(path))

/** Runs a test with a temporary folder, which is removed after the test. */
const inFolder = <A, E>(test: (folder: string) => Effect.Effect<A, E, FileSystem.FileSystem>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return yield* test(yield* fs.makeTempDirectoryScoped())
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

const textOf = (path: string) => Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(path))
const bytesOf = (path: string) => Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFile(path))
const filesIn = (folder: string) =>
  Effect.map(
    Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readDirectory(folder)),
    (names) => names.toSorted()
  )

/** Returns the defect of this call, which must be an UnknownRequestError. */
const defectOf = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(call), (exit) => {
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    const isDefect = Exit.isFailure(exit) && Cause.hasDies(exit.cause)
    if (isDefect && defect instanceof Cassette.UnknownRequestError) return defect
    return assert.fail(`not an UnknownRequestError: ${String(exit)}`)
  })

const answering = (image: Uint8Array) => TestTransport.respond({ text: responseBody(Buffer.from(image)) })

describe("Cassette.layerRecord and layerReplay", () => {
  it.live("replays the recorded replies without a server", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "cassettes", "otter.json")
        const server = yield* serve((_, response, body) => {
          response.setHeader("x-request-id", "req-7")
          response.setHeader("ratelimit-remaining", "249")
          response.setHeader("content-type", body.includes('"stream":true') ? "text/event-stream" : "application/json")
          if (!body.includes('"stream":true')) return response.end(responseBody(png))
          return response.end(`: ping\n\n${partialImage(0, webp)}${partialImage(1, webp)}${completed(png)}`)
        })
        const both = Effect.all([Images.generate(params), Stream.runCollect(Images.generateStream(streaming))])
        const http = Cassette.layerRecord(path).pipe(Layer.provide(NodeImages.layerHttpClient()))
        const recorded = yield* both.pipe(Effect.provide(images(http, live(server.baseUrl))))
        assert.strictEqual(server.requests.length, 2)

        const replayed = yield* both.pipe(Effect.provide(replaying(path)))
        assert.deepStrictEqual(replayed, recorded)
        assert.strictEqual(replayed[0].requestId, "req-7")
        assert.strictEqual(replayed[0].rateLimit?.remaining, 249)
        assert.deepStrictEqual(
          replayed[1].map((event) => [event._tag, Buffer.from(event.bytes)]),
          [
            ["PartialImage", webp],
            ["PartialImage", webp],
            ["Completed", png]
          ]
        )
        assert.strictEqual(server.requests.length, 2)

        const text = yield* textOf(path)
        assert.include(text, `"x-request-id": "req-7"`)
        assert.notMatch(text, /"(transfer-encoding|connection|keep-alive)"/)
      }).pipe(Effect.scoped)
    )
  )

  it.effect("writes a readable file with the images beside it", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "otter.json")
        const partial = new ImageGenStreamEvent.PartialImage({ bytes: webp, partialImageIndex: 0 })
        const final = new ImageGenStreamEvent.Completed({ bytes: png })
        yield* Effect.all([Images.generate(params), Stream.runDrain(Images.generateStream(params))]).pipe(
          Effect.provide(recording(path, [answering(TestImages.jpeg), TestTransport.events([partial, final])]))
        )
        assert.deepStrictEqual(yield* filesIn(folder), ["otter-0.jpg", "otter-1.webp", "otter-2.png", "otter.json"])
        assert.deepStrictEqual(Buffer.from(yield* bytesOf(join(folder, "otter-0.jpg"))), Buffer.from(TestImages.jpeg))
        assert.deepStrictEqual(Buffer.from(yield* bytesOf(join(folder, "otter-2.png"))), png)
        const request = (body: object) => ({
          method: "POST",
          url: "https://inference.do-ai.run/v1/images/generations",
          headers: {
            accept: "application/json, text/event-stream",
            "content-type": "application/json",
            "content-length": String(JSON.stringify(body).length)
          },
          body
        })
        assert.deepStrictEqual(JSON.parse(yield* textOf(path)), {
          exchanges: [
            {
              request: request({ model: "openai-gpt-image-2", prompt: "A sea otter", n: 1 }),
              response: {
                status: 200,
                headers: { "content-type": "text/plain" },
                body: { json: { created: 1_700_000_000, data: [{ b64_json: "otter-0.jpg" }] } }
              }
            },
            {
              request: request({
                partial_images: 1,
                model: "openai-gpt-image-2",
                prompt: "A sea otter",
                n: 1,
                stream: true
              }),
              response: {
                status: 200,
                headers: { "content-type": "text/event-stream" },
                body: {
                  events: [
                    {
                      event: "image_generation.partial_image",
                      json: { type: "image_generation.partial_image", b64_json: "otter-1.webp", partial_image_index: 0 }
                    },
                    {
                      event: "image_generation.completed",
                      json: { type: "image_generation.completed", b64_json: "otter-2.png" }
                    }
                  ]
                }
              }
            }
          ]
        })
      })
    )
  )

  it.effect("never writes a key", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "otter.json")
        const other = "dop_v1_0123456789abcdef"
        const error = yield* Images.generate(params, { extraBody: { note: key }, headers: { "x-team": key } }).pipe(
          Effect.flip,
          Effect.provide(
            recording(
              path,
              [
                TestTransport.respond({
                  status: 401,
                  headers: { "set-cookie": "session=hush-hush", "x-hint": key, "x-encoded": btoa(`Bearer ${key}`) },
                  json: { error: { message: `Incorrect key: ${key}, not ${other}` } }
                })
              ],
              { ...live(`http://user:${encodeURIComponent(key)}@localhost/v1?token=${encodeURIComponent(key)}`) }
            )
          )
        )
        assert.strictEqual(error.reason._tag, "AuthenticationError")
        const text = yield* textOf(path)
        for (const secret of ["file-may-have", other, "hush-hush", btoa(`Bearer ${key}`)]) {
          assert.notInclude(text, secret)
        }
        assert.include(text, "Incorrect key: <redacted>, not <redacted>")
      })
    )
  )

  it.effect("replays failures, and text that is not JSON", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "bad", "bad.json")
        const call = Effect.map(Effect.flip(Images.generate(params, { retry: RetryPolicy.none })), ({ reason }) => [
          reason._tag,
          reason.status,
          reason.description
        ])
        const html = { "content-type": "text/html" }
        const answers = [
          TestTransport.respond({ status: 429, headers: { "retry-after": "2" }, json: { message: "Slower" } }),
          TestTransport.respond({ status: 502, headers: html, text: "<title>Bad Gateway</title>" })
        ]
        const recorded = yield* Effect.all([call, call]).pipe(Effect.provide(recording(path, answers)))
        const replayed = yield* Effect.all([call, call]).pipe(Effect.provide(replaying(path)))
        assert.deepStrictEqual(replayed, recorded)
        assert.deepStrictEqual(replayed[1], ["InternalServerError", 502, "Bad Gateway"])
      })
    )
  )

  it.effect("breaks a stream where it broke", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "broken.json")
        const partial = new ImageGenStreamEvent.PartialImage({ bytes: webp, partialImageIndex: 0 })
        const call = Images.generateStream(params, { retry: RetryPolicy.none }).pipe(
          Stream.map(({ _tag }) => _tag),
          Stream.catch(({ reason }) => Stream.make(reason._tag, reason.description)),
          Stream.runCollect
        )
        const step = TestTransport.events([partial, partial], { cutAt: -20, end: "reset" })
        const recorded = yield* Effect.provide(call, recording(path, [step]))
        assert.deepStrictEqual(recorded, [
          "PartialImage",
          "DisconnectedError",
          "the test transport resets the connection"
        ])
        assert.deepStrictEqual(yield* Effect.provide(call, replaying(path)), recorded)
      })
    )
  )

  it.effect("fails if no connection is made, and does not record that", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const error = yield* Images.generate(params, { retry: RetryPolicy.none }).pipe(
          Effect.flip,
          Effect.provide(recording(join(folder, "otter.json"), [TestTransport.failNotSent()]))
        )
        assert.strictEqual(error.reason._tag, "ConnectionError")
        assert.deepStrictEqual(yield* filesIn(folder), [])
      })
    )
  )

  it.effect("decodes base64 with white space and without padding, as the library does", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "otter.json")
        const base64 = png.toString("base64")
        assert.isTrue(base64.endsWith("="))
        const text = JSON.stringify({
          created: 0,
          data: [{ b64_json: `${base64.slice(0, 40)}\n ${base64.slice(40).replace(/=+$/, "")}` }]
        })
        yield* Images.generate(params).pipe(Effect.provide(recording(path, [TestTransport.respond({ text })])))
        assert.deepStrictEqual(Buffer.from(yield* bytesOf(join(folder, "otter-0.png"))), png)
      })
    )
  )

  it.effect("keeps images of any size", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "large.json")
        const large = Buffer.concat([png, Buffer.alloc(9 * 1024 * 1024, "otter")])
        const call = ImageStream.runCompleted(Images.generateStream(params))
        const step = TestTransport.events(TestImages.makeEvents(webp, large), { chunkSize: 65_536 })
        yield* Effect.provide(call, recording(path, [step]))
        const { bytes } = yield* Effect.provide(call, replaying(path))
        assert.isTrue(large.equals(bytes))
      })
    )
  )

  it.effect("does not record an exchange that the caller aborted", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const partial = new ImageGenStreamEvent.PartialImage({ bytes: webp, partialImageIndex: 0 })
        const begun = yield* Deferred.make<void>()
        const call = yield* Images.generateStream(params).pipe(
          Stream.runForEach(() => Deferred.succeed(begun, undefined)),
          Effect.flip,
          Effect.provide(recording(join(folder, "slow.json"), [TestTransport.events([partial], { end: "hang" })])),
          Effect.forkChild
        )
        // Opening the cassette takes real time. So the TestClock is advanced only after the call has begun.
        yield* Deferred.await(begun)
        yield* TestClock.adjust("6 minutes")
        assert.strictEqual((yield* Fiber.join(call)).reason._tag, "RequestTimeoutError")
        assert.deepStrictEqual(yield* filesIn(folder), [])
      })
    )
  )

  it.effect("replaces an older recording and its images", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "otter.json")
        const again = (image: Uint8Array) =>
          Images.generate(params).pipe(Effect.provide(recording(path, [answering(image)])))
        yield* again(png)
        yield* again(webp)
        assert.deepStrictEqual(yield* filesIn(folder), ["otter-0.webp", "otter.json"])
        const response = yield* Images.generate(params).pipe(Effect.provide(replaying(path)))
        assert.deepStrictEqual(Buffer.from(response.data[0].bytes), webp)
      })
    )
  )

  it.effect("records every exchange of concurrent calls", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "many.json")
        const prompts = Array.from({ length: 8 }, (_, index) => `Otter ${index}`)
        const all = Effect.forEach(prompts, (prompt) => Images.generate({ prompt }), { concurrency: "unbounded" })
        const recorded = yield* all.pipe(
          Effect.provide(recording(path, (_, number) => answering(number % 2 === 0 ? TestImages.png : TestImages.webp)))
        )
        assert.lengthOf(yield* filesIn(folder), 9)
        assert.deepStrictEqual(yield* Effect.provide(all, replaying(path)), recorded)
      })
    )
  )
})

describe("a request without a recorded reply", () => {
  const recorded = (path: string) =>
    Effect.gen(function* () {
      yield* Images.generate({ prompt: "A lighthouse", model: "dall-e-3", size: "1024x1024" })
      yield* Images.generate({ ...params, quality: "low" })
    }).pipe(Effect.provide(recording(path, () => answering(png))))

  it.effect("is a defect that shows the nearest request and the differences, under any retry policy", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "otter.json")
        yield* recorded(path)
        const call = Images.generate({ ...params, quality: "high", user: "u-1" }, { retry: RetryPolicy.eager })
        const defect = yield* defectOf(Effect.provide(call, replaying(path)))
        assert.deepStrictEqual(defect.differences, [
          { field: "body.quality", asked: "high", recorded: "low" },
          { field: "body.user", asked: "u-1", recorded: undefined }
        ])
        assert.strictEqual(
          defect.message,
          [
            `The cassette ${path} has no reply left for this request: POST https://inference.do-ai.run/v1/images/generations.`,
            "This request differs from the nearest recorded one, POST https://inference.do-ai.run/v1/images/generations, in:",
            '  body.quality: "high", recorded: "low"',
            '  body.user: "u-1", recorded: nothing',
            "Nothing was sent. To record the cassette again, use Cassette.layerRecord."
          ].join("\n")
        )
      })
    )
  )

  it.effect("is one with all its replies replayed, or one with another path", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "otter.json")
        yield* recorded(path)
        const call = Images.generate({ ...params, quality: "low" })
        const again = yield* defectOf(Effect.provide(Effect.andThen(call, call), replaying(path)))
        assert.include(again.message, "All recorded replies to this request were already replayed.")

        const elsewhere = images(Cassette.layerReplay(path), { baseUrl: "http://localhost/v2" })
        const moved = yield* defectOf(Effect.provide(call, elsewhere))
        assert.deepStrictEqual(
          moved.differences.map(({ field }) => field),
          ["path"]
        )
      })
    )
  )

  it.effect("is one with another query", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "pages.json")
        const get = (page: number) =>
          Effect.flatMap(HttpClient.get(`http://localhost/?page=${page}`), ({ text }) => text)
        const http = Cassette.layerRecord(path).pipe(
          Layer.provide(TestTransport.layer([TestTransport.respond({ text: "one" })]))
        )
        yield* Effect.provide(get(1), http)
        assert.strictEqual(yield* Effect.provide(get(1), Cassette.layerReplay(path)), "one")
        const { differences } = yield* defectOf(Effect.provide(get(2), Cassette.layerReplay(path)))
        assert.deepStrictEqual(differences, [{ field: "path", asked: "/?page=2", recorded: "/?page=1" }])
      })
    )
  )

  it.effect("is not one with another host or other headers", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "otter.json")
        yield* recorded(path)
        const elsewhere = images(Cassette.layerReplay(path), {
          ...live("http://localhost:8080/v1"),
          headers: { a: "b" }
        })
        yield* Images.generate({ ...params, quality: "low" }).pipe(Effect.provide(elsewhere))
      })
    )
  )
})

describe("Cassette.layerReplay", () => {
  const failing = (path: string) =>
    Effect.map(Effect.flip(Effect.provide(Images.generate(params), replaying(path))), (error) => {
      assert.instanceOf(error, Cassette.CassetteError)
      return error.message
    })

  it.effect("fails if the cassette is missing or cannot be read", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = join(folder, "otter.json")
        assert.match(yield* failing(path), /otter\.json cannot be replayed: .*Record it with Cassette\.layerRecord/)
        yield* fs.writeFileString(path, `{"exchanges":[{}]}`)
        assert.include(yield* failing(path), "request")
        yield* fs.writeFileString(path, `{"exch`)
        assert.include(yield* failing(path), "JSON")
      })
    )
  )

  it.effect("fails if an image is missing, and reads no image outside its folder", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = join(folder, "inner", "otter.json")
        yield* Images.generate(params).pipe(Effect.provide(recording(path, [answering(png)])))
        yield* fs.rename(join(folder, "inner", "otter-0.png"), join(folder, "otter-0.png"))
        assert.include(yield* failing(path), "otter-0.png")
        yield* fs.writeFileString(path, (yield* textOf(path)).replace("otter-0.png", "../otter-0.png"))
        const error = yield* Effect.flip(Effect.provide(Images.generate(params), replaying(path)))
        assert.strictEqual(error._tag === "GradientError" ? error.reason._tag : error._tag, "InvalidResponseError")
      })
    )
  )
})

describe("Cassette.layerAuto", () => {
  it.effect("records once, and then sends nothing", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = join(folder, "otter.json")
        let sent = 0
        const service = TestTransport.layer(() => {
          sent++
          return answering(png)
        })
        const auto = images(Cassette.layerAuto(path).pipe(Layer.provide(service)))
        const first = yield* Images.generate(params).pipe(Effect.provide(auto))
        assert.deepStrictEqual(yield* Images.generate(params).pipe(Effect.provide(auto)), first)
        yield* defectOf(Images.generate({ prompt: "A cat" }).pipe(Effect.provide(auto)))
        assert.strictEqual(sent, 1)
      })
    )
  )
})
