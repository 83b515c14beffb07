import { assert, describe, it } from "@effect/vitest"
import { GenerationJournal, ImageStore } from "@effect-gradient/durable"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Effect, Exit, Fiber, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join as joinPath } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { completed, eventually, partialImage, png, responseBody, serve } from "../../node/test/support/server.ts"
import { away, durableOn, inMemory } from "./support/durable.ts"
import {
  alice,
  answerImages,
  asStream,
  bob,
  call,
  decodeError,
  gatewayTo,
  image,
  join,
  reader,
  refusal,
  streaming,
  textOf
} from "./support/gateway.ts"

/** Starts two durable gateways in front of one service. They share a journal and a store. */
const twoGateways = Effect.fnUntraced(function* (upstream: string) {
  const shared = yield* inMemory
  const one = yield* gatewayTo({ upstream, attempts: durableOn(shared) })
  const two = yield* gatewayTo({ upstream, attempts: durableOn(shared) })
  return { one, two, shared }
})

const errorOf = Effect.fnUntraced(function* (response: Response) {
  const { error } = yield* decodeError(yield* textOf(response))
  return { status: response.status, ...error }
})

describe("a caller who left", () => {
  it.live("gets the image by joining, from the same process and from another one", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const { one, two } = yield* twoGateways(server.baseUrl)
      const id = randomUUID()
      const leaving = new AbortController()
      const first = yield* Effect.forkChild(
        Effect.exit(call(one, { body: asStream, headers: { "x-attempt-id": id }, signal: leaving.signal }))
      )
      yield* eventually(() => open.length === 1, "it was sent")
      leaving.abort()
      yield* Fiber.await(first)
      const events = yield* Effect.forkChild(join(one, id, { stream: true }))
      const json = yield* Effect.forkChild(join(two, id))
      yield* eventually(() => open.length === 1, "nothing else was sent")
      open[0]?.end(partialImage(0, image) + completed(image))
      const streamed = yield* Effect.flatMap(Fiber.join(events), textOf)
      assert.include(streamed, `"b64_json":"${image.toString("base64")}"`)
      const response = yield* Fiber.join(json)
      assert.strictEqual(response.headers.get("content-type"), "application/json")
      const body: unknown = JSON.parse(yield* textOf(response))
      assert.nestedPropertyVal(body, "data[0].b64_json", image.toString("base64"))
      assert.strictEqual(server.requests.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("gets the newest partial image first, and then what comes after it", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const { one } = yield* twoGateways(server.baseUrl)
      const id = randomUUID()
      const leaving = new AbortController()
      const response = yield* Effect.forkChild(
        call(one, {
          body: { ...asStream, partial_images: 3 },
          headers: { "x-attempt-id": id },
          signal: leaving.signal
        })
      )
      yield* eventually(() => open.length === 1, "it was sent")
      open[0]?.write(partialImage(0, png(10)) + partialImage(1, png(20)))
      yield* reader(yield* Fiber.join(response))("\n\n")
      leaving.abort()
      const read = reader(yield* join(one, id, { stream: true }))
      assert.include(yield* read("\n\n"), '"partial_image_index":1')
      open[0]?.end(completed(image))
      assert.include(yield* read("\n\n"), "event: image_generation.completed")
    }).pipe(Effect.scoped)
  )

  it.live("joins by sending the request again, in any form of reply, and is counted once", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const shared = yield* inMemory
      const gateway = yield* gatewayTo({
        upstream: server.baseUrl,
        attempts: durableOn(shared),
        limits: { images: 1 }
      })
      const headers = { "x-attempt-id": randomUUID() }
      for (const stream of [false, true, false]) {
        const response = yield* call(gateway, { headers, body: { prompt: "A sea otter", stream } })
        assert.strictEqual(response.status, 200)
        assert.include(yield* textOf(response), image.toString("base64"))
      }
      assert.strictEqual(server.requests.length, 1)
      assert.strictEqual((yield* refusal(gateway, { headers: { "x-attempt-id": randomUUID() } })).status, 429)
    }).pipe(Effect.scoped)
  )

  it.live("finds a request without x-attempt-id by the x-request-id of its response", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const { one, two } = yield* twoGateways(server.baseUrl)
      const id = (yield* call(one)).headers.get("x-request-id") ?? ""
      assert.include(yield* textOf(yield* join(two, id)), image.toString("base64"))
    }).pipe(Effect.scoped)
  )
})

describe("joining", () => {
  it.live("another caller's request, or one that nobody sent, is a 404 not_found", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const { one, two } = yield* twoGateways(server.baseUrl)
      const id = randomUUID()
      assert.strictEqual((yield* call(one, { headers: { "x-attempt-id": id } })).status, 200)
      for (const stream of [false, true]) {
        for (const [gateway, asked, key] of [
          [one, id, bob],
          [two, id, bob],
          [one, randomUUID(), alice]
        ] as const) {
          const { code, status } = yield* errorOf(yield* join(gateway, asked, { key, stream }))
          assert.deepStrictEqual([status, code], [404, "not_found"])
        }
      }
      assert.strictEqual(server.requests.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("a request that failed without being charged for is a 404, and can be sent again with its id", () =>
    Effect.gen(function* () {
      let isBusy = true
      const server = yield* serve((request, response) => {
        if (isBusy) response.writeHead(429, { "retry-after": "3" }).end()
        else answerImages(request, response)
      })
      const { one, two } = yield* twoGateways(server.baseUrl)
      const id = randomUUID()
      const headers = { "x-attempt-id": id }
      assert.strictEqual((yield* refusal(one, { headers })).status, 429)
      assert.strictEqual((yield* errorOf(yield* join(two, id))).status, 404)
      isBusy = false
      assert.strictEqual((yield* call(two, { headers })).status, 200)
    }).pipe(Effect.scoped)
  )

  it.live("a request in doubt is a 409 in_doubt, which is not sent again", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.socket?.resetAndDestroy())
      const { one, two } = yield* twoGateways(server.baseUrl)
      const id = randomUUID()
      const headers = { "x-attempt-id": id }
      assert.strictEqual((yield* refusal(one, { headers })).status, 502)
      for (const stream of [false, true]) {
        const { code, status } = yield* errorOf(yield* join(two, id, { stream }))
        assert.deepStrictEqual([status, code], [409, "in_doubt"])
      }
      const again = yield* refusal(two, { headers })
      assert.deepStrictEqual([again.status, again.code], [409, "in_doubt"])
      assert.strictEqual(again.headers.get("x-should-retry"), "false")
      assert.strictEqual(server.requests.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("images that were removed are a 410, and a journal that is away is a 503", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const shared = yield* inMemory
      let isAway = false
      const find: typeof shared.journal.find = (id) => (isAway ? away : shared.journal.find(id))
      const gateway = yield* gatewayTo({
        upstream: server.baseUrl,
        attempts: durableOn({ ...shared, journal: { ...shared.journal, find } })
      })
      const id = randomUUID()
      assert.strictEqual((yield* call(gateway, { headers: { "x-attempt-id": id } })).status, 200)
      const [found] = yield* shared.journal.list({ limit: 1 })
      yield* shared.journal.move(found?.row.id ?? "", GenerationJournal.Move.Expire({ token: found?.row.token ?? "" }))
      assert.deepInclude(yield* errorOf(yield* join(gateway, id)), { status: 410, code: "expired" })
      isAway = true
      const { message, status } = yield* errorOf(yield* join(gateway, id))
      assert.strictEqual(status, 503)
      assert.notInclude(message, "connection refused")
    }).pipe(Effect.scoped)
  )

  it.live("other params with an id that was sent are a 409 idempotency_key_reused", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const { one, two } = yield* twoGateways(server.baseUrl)
      const headers = { "x-attempt-id": randomUUID() }
      assert.strictEqual((yield* call(one, { headers })).status, 200)
      const { code, status } = yield* refusal(two, { headers, body: { prompt: "A walrus" } })
      assert.deepStrictEqual([status, code], [409, "idempotency_key_reused"])
    }).pipe(Effect.scoped)
  )

  it.live("a gateway that does not keep replies is a 404 not_kept; an id of another form is a 400", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const gateway = yield* gatewayTo({ upstream: server.baseUrl })
      const { code, status } = yield* errorOf(yield* join(gateway, randomUUID()))
      assert.deepStrictEqual([status, code], [404, "not_kept"])
      assert.strictEqual((yield* join(gateway, "1")).status, 400)
      assert.strictEqual((yield* join(gateway, randomUUID(), { key: "wrong" })).status, 401)
    }).pipe(Effect.scoped)
  )

  it.live("a stream gets comments while nothing else arrives", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const gateway = yield* gatewayTo({
        upstream: server.baseUrl,
        attempts: durableOn(yield* inMemory),
        keepAlive: "50 millis"
      })
      const id = randomUUID()
      const first = yield* Effect.forkChild(call(gateway, { headers: { "x-attempt-id": id } }))
      yield* eventually(() => open.length === 1, "it was sent")
      const read = reader(yield* join(gateway, id, { stream: true }))
      yield* read(": keep-alive\n")
      yield* read(": keep-alive\n")
      open[0]?.end(responseBody(image))
      yield* read("event: image_generation.completed")
      assert.strictEqual((yield* Fiber.join(first)).status, 200)
    }).pipe(Effect.scoped)
  )
})

describe("open requests", () => {
  it.live("above the limit of a caller are a 429, until one of them ends", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const attempts = durableOn(yield* inMemory)
      const gateway = yield* gatewayTo({ upstream: server.baseUrl, attempts, limits: { open: 2 } })
      const id = randomUUID()
      const first = yield* Effect.forkChild(call(gateway, { headers: { "x-attempt-id": id }, body: asStream }))
      yield* eventually(() => open.length === 1, "it was sent")
      const leaving = new AbortController()
      const second = yield* Effect.forkChild(Effect.exit(join(gateway, id, { signal: leaving.signal })))
      const refused = Effect.map(join(gateway, randomUUID()), ({ status }) => status === 429)
      yield* Effect.repeat(Effect.delay(refused, "20 millis"), { until: (is) => is })
      assert.strictEqual((yield* join(gateway, randomUUID(), { key: bob })).status, 404)
      leaving.abort()
      yield* Fiber.await(second)
      open[0]?.end(completed(image))
      yield* textOf(yield* Fiber.join(first))
      assert.include(yield* textOf(yield* join(gateway, id)), image.toString("base64"))
    }).pipe(Effect.scoped)
  )
})

/** A store in a temporary folder, which is removed when the scope closes. */
const inFolder = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(joinPath(tmpdir(), "gateway-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )
  const layer = ImageStore.layerFolder(folder).pipe(Layer.provide(NodeServices.layer))
  return Context.get(yield* Layer.build(layer), ImageStore.ImageStore)
})

/** The memory in use after garbage collection, in bytes. */
const inUse = Effect.promise(async () => {
  setFlagsFromString("--expose-gc")
  // Memory that the first collection finds unused may only be freed by the second one.
  for (let i = 0; i < 2; i++) {
    runInNewContext("gc()")
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { external, heapUsed } = process.memoryUsage()
  return external + heapUsed
})

describe("callers who do not read their images", () => {
  const large = png(6_000_000)
  const readers = 16
  const imagesOfAll = readers * large.length

  it.live(
    "take no memory for images that are done, whether they join or send again; all get them whole",
    () =>
      Effect.gen(function* () {
        const server = yield* serve((_, response) => response.end(responseBody(large)))
        const shared = { ...(yield* inMemory), store: yield* inFolder }
        const limits = { images: 100 }
        const gateway = yield* gatewayTo({ upstream: server.baseUrl, attempts: durableOn(shared), limits })
        const ids = Array.from({ length: readers }, () => randomUUID())
        for (const id of ids) yield* Effect.flatMap(call(gateway, { headers: { "x-attempt-id": id } }), textOf)
        const before = yield* inUse
        const replies = yield* Effect.forEach(ids, (id, index) =>
          index % 2 === 0
            ? join(gateway, id, { stream: index % 4 === 0 })
            : call(gateway, { headers: { "x-attempt-id": id }, body: index % 4 === 1 ? asStream : undefined })
        )
        assert.deepStrictEqual(new Set(replies.map(({ status }) => status)), new Set([200]))
        const taken = (yield* inUse) - before
        assert.isBelow(taken, imagesOfAll / 2)
        for (const reply of replies) assert.include(yield* textOf(reply), large.toString("base64"))
        assert.strictEqual(server.requests.length, readers)
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "share one copy of an image that is being made",
    () =>
      Effect.gen(function* () {
        const { answer, open } = streaming()
        const server = yield* serve(answer)
        const shared = { ...(yield* inMemory), store: yield* inFolder }
        const gateway = yield* gatewayTo({ upstream: server.baseUrl, attempts: durableOn(shared) })
        const id = randomUUID()
        const first = yield* Effect.forkChild(call(gateway, { headers: { "x-attempt-id": id }, body: asStream }))
        yield* eventually(() => open.length === 1, "it was sent")
        open[0]?.write(partialImage(0, png(10)))
        const joined = yield* Effect.forEach(Array.from({ length: readers }), () => join(gateway, id, { stream: true }))
        const before = yield* inUse
        open[0]?.end(completed(large))
        const reading = joined.map(reader)
        yield* Effect.forEach(reading, (read) => read("image_generation.completed"))
        const taken = (yield* inUse) - before
        assert.isBelow(taken, imagesOfAll / 2)
        for (const read of reading) yield* read("\n\n")
        yield* textOf(yield* Fiber.join(first))
      }).pipe(Effect.scoped),
    60_000
  )
})

describe("callers who do not read the images of their own requests", () => {
  it.live.each([
    ["JSON", undefined],
    ["a stream", asStream]
  ] as const)(
    "lose the connection after readTimeout and take no memory then; they get the images with the same ids: %s",
    ([_form, body]) =>
      Effect.gen(function* () {
        const large = png(6_000_000)
        const server = yield* serve((_, response) => response.end(responseBody(large)))
        const shared = { ...(yield* inMemory), store: yield* inFolder }
        const limits = { images: 100, readTimeout: "500 millis" } as const
        const gateway = yield* gatewayTo({ upstream: server.baseUrl, attempts: durableOn(shared), limits })
        yield* Effect.flatMap(call(gateway, { headers: { "x-attempt-id": randomUUID() }, body }), textOf)
        const before = yield* inUse
        const ids = Array.from({ length: 8 }, () => randomUUID())
        const unread = yield* Effect.forEach(ids, (id) => call(gateway, { headers: { "x-attempt-id": id }, body }))
        yield* Effect.sleep("2 seconds")
        const taken = (yield* inUse) - before
        assert.isBelow(taken, (ids.length * large.length) / 4)
        const cut = yield* Effect.forEach(unread, (reply) => Effect.exit(Effect.tryPromise(() => reply.text())))
        assert.deepStrictEqual(new Set(cut.map(Exit.isFailure)), new Set([true]))
        for (const id of ids) {
          assert.include(yield* textOf(yield* join(gateway, id)), large.toString("base64"))
        }
        assert.strictEqual(server.requests.length, ids.length + 1)
      }).pipe(Effect.scoped),
    60_000
  )
})

describe("an image that the store has lost", () => {
  it.live("is a 410 images_lost, or a reply that is cut if it is lost while it is sent", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.end(responseBody(png(1_000_000))))
      const { journal, store } = yield* inMemory
      let lostFrom = Infinity
      const read: typeof store.read = (path, start, length) =>
        start >= lostFrom
          ? Effect.flatMap(store.remove(path), () => store.read(path, start, length))
          : store.read(path, start, length)
      const attempts = durableOn({ journal, store: { ...store, read } })
      const gateway = yield* gatewayTo({ upstream: server.baseUrl, attempts })
      const id = randomUUID()
      yield* Effect.flatMap(call(gateway, { headers: { "x-attempt-id": id } }), textOf)
      lostFrom = 500_000
      const cut = yield* join(gateway, id)
      assert.strictEqual(cut.status, 200)
      yield* Effect.flip(Effect.tryPromise(() => cut.text()))
      for (const stream of [false, true]) {
        const { code, message, status } = yield* errorOf(yield* join(gateway, id, { stream }))
        assert.deepStrictEqual([status, code], [410, "images_lost"])
        assert.strictEqual(message, "The images of this request have been lost.")
      }
    }).pipe(Effect.scoped)
  )
})
