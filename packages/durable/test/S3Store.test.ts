import { Images } from "@effect-gradient/core"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { once } from "node:events"
import * as http from "node:http"
import { DurableImages, GenerationJournal, ImageStore } from "../src/index.ts"
import { withQuickWaits } from "./support/quickWaits.ts"
import { inBucket, s3 } from "./support/s3.ts"

const bytes = Uint8Array.from([1, 2, 3])
const secret = "a-secret-that-nobody-may-see"

/** An S3 server that replies as a test describes, and records its requests. */
const raw = (
  answer: (request: http.IncomingMessage, number: number) => { readonly status: number; readonly xml?: string }
) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const requests: Array<http.IncomingMessage> = []
      const server = http.createServer((request, response) => {
        request.resume().on("end", () => {
          requests.push(request)
          const { status, xml = "" } = answer(request, requests.length - 1)
          if (status === 0) return void request.socket.destroy()
          response.writeHead(status, { "content-type": "application/xml" }).end(xml)
        })
      })
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      const address = server.address()
      const port = address !== null && typeof address === "object" ? address.port : 0
      const options: ImageStore.S3Options = {
        bucket: "images",
        endpoint: `http://127.0.0.1:${port}`,
        accessKeyId: "AKEXAMPLE",
        secretAccessKey: Redacted.make(secret)
      }
      return { server, requests, options }
    }),
    ({ server }) =>
      Effect.promise(async () => {
        server.closeAllConnections()
        server.close()
        await once(server, "close")
      })
  )

const empty = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
const storeOf = (options: ImageStore.S3Options) =>
  Effect.map(Layer.build(inBucket(options)), (context) => Context.get(context, ImageStore.ImageStore))

describe("a store in a bucket", () => {
  it.live("asks the server not to overwrite, signs, and takes 412 for an object that is there", () =>
    Effect.gen(function* () {
      const { options, requests } = yield* raw(({ method }) =>
        method === "PUT" ? { status: 412 } : { status: 200, xml: empty }
      )
      const store = yield* storeOf({ ...options, prefix: "some/where", region: "fra1" })
      yield* store.put("id/1-a/image-0.png", bytes)
      const { headers, url } = requests.at(-1) ?? {}
      expect(url).toBe("/images/some/where/id/1-a/image-0.png")
      expect(headers?.["if-none-match"]).toBe("*")
      expect(headers?.["x-amz-content-sha256"]).toMatch(/^[0-9a-f]{64}$/)
      expect(headers?.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKEXAMPLE\/\d{8}\/fra1\/s3\/aws4_request/)
      expect(JSON.stringify(requests.map((request) => request.headers))).not.toContain(secret)
    }).pipe(Effect.scoped)
  )

  it.live("repeats a request that was refused for a while, or whose connection broke", () =>
    Effect.gen(function* () {
      const { options, requests } = yield* raw((_, number) =>
        number === 0 ? { status: 200, xml: empty } : { status: [503, 0, 500, 429, 200][number - 1] ?? 200 }
      )
      const store = yield* storeOf(options)
      yield* store.put("id/file", bytes)
      expect(requests.length).toBe(6)
    }).pipe(withQuickWaits, Effect.scoped)
  )

  it.live("lists every page, and keys with characters that XML and URLs escape", () =>
    Effect.gen(function* () {
      const page = (key: string, more: string) =>
        `<?xml version="1.0"?><ListBucketResult><Contents><Key>${key}</Key><Size>3</Size></Contents>${more}</ListBucketResult>`
      const { options, requests } = yield* raw(({ url = "" }) => {
        if (url.includes("prefix=none")) return { status: 200, xml: empty }
        return url.includes("continuation-token=n%26ext")
          ? { status: 200, xml: page("id/b &lt;2&gt;", "<IsTruncated>false</IsTruncated>") }
          : {
              status: 200,
              xml: page(
                "id/a&amp;1",
                "<IsTruncated>true</IsTruncated><NextContinuationToken>n&amp;ext</NextContinuationToken>"
              )
            }
      })
      const store = yield* storeOf(options)
      const entries = yield* Stream.runCollect(store.list("id"))
      expect(entries).toEqual([
        { path: "id/a&1", size: 3 },
        { path: "id/b <2>", size: 3 }
      ])
      expect(requests.length).toBe(3)
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["a page of HTML", "<html><body>Welcome</body></html>"],
    ["a list that is cut", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"],
    ["no list", "<ListBucketResult></ListBucketResult>"]
  ])("does not take %s for an empty list", ([, xml]) =>
    Effect.gen(function* () {
      const { options } = yield* raw(({ url = "" }) => ({
        status: 200,
        xml: url.includes("prefix=none") ? empty : (xml ?? "")
      }))
      const store = yield* storeOf(options)
      const failure = yield* Effect.flip(Stream.runCollect(store.list("id")))
      expect(failure.message).toContain("is not a complete list of objects")
    }).pipe(withQuickWaits, Effect.scoped)
  )

  it.live("does not take a bucket that is gone for an object that is not there, and asks it once", () =>
    Effect.gen(function* () {
      const { options, requests } = yield* raw(({ url = "" }) =>
        url.includes("list-type")
          ? { status: 200, xml: empty }
          : { status: 404, xml: `<Error><Code>${url.includes("gone") ? "NoSuchBucket" : "NoSuchKey"}</Code></Error>` }
      )
      const store = yield* storeOf(options)
      expect(yield* store.get("id/none")).toEqual(Option.none())
      expect((yield* Effect.flip(store.get("id/gone"))).message).toContain("the bucket does not exist")
      const read = yield* Effect.flip(store.read("id/gone", 0, 10))
      expect(read.message).toContain("the bucket does not exist")
      expect(requests.filter(({ url = "" }) => url.includes("gone")).length).toBe(2)
    }).pipe(withQuickWaits, Effect.scoped)
  )

  const refusals = [
    [404, "NoSuchBucket", "the bucket does not exist"],
    [403, "InvalidAccessKeyId", "the access key is unknown"],
    [403, "SignatureDoesNotMatch", "the secret access key is wrong"],
    [400, "AuthorizationHeaderMalformed", "the region is wrong"],
    [403, "RequestTimeTooSkewed", "the clock of this machine is wrong"],
    [400, "Other", "the words of the service"]
  ] as const

  it.live.each(refusals)("is refused when it is built: %d %s", ([status, code, words]) =>
    Effect.gen(function* () {
      const xml = `<Error><Code>${code}</Code><Message>the words of the service</Message></Error>`
      const { options } = yield* raw(() => ({ status, xml }))
      const error = yield* Effect.flip(storeOf(options))
      expect(error.reason._tag).toBe("InvalidParamsError")
      expect(error.message).toContain(`The bucket images failed to GET`)
      expect(error.message).toContain(`${status} ${words}`)
      expect(error.message).not.toContain(secret)
    }).pipe(Effect.scoped)
  )

  it.live.each([
    [{ endpoint: "fra1" }, "must be an http or https URL (got fra1)"],
    [{ bucket: "a/b" }, 'must be a name without a slash (got "a/b")'],
    [{ secretAccessKey: Redacted.make("") }, "needs an access key and its secret"]
  ] as const)("refuses options that cannot be used: %o", ([options, words]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        storeOf({ bucket: "b", accessKeyId: "a", secretAccessKey: Redacted.make("s"), ...options })
      )
      expect(error.message).toContain(words)
    }).pipe(Effect.scoped)
  )

  it.live("is refused by a real server whose bucket or credentials are others", () =>
    Effect.gen(function* () {
      const { options } = yield* s3
      expect((yield* Effect.flip(storeOf({ ...options, bucket: "others" }))).message).toContain("does not exist")
      const wrong = { ...options, secretAccessKey: Redacted.make(secret) }
      const error = yield* Effect.flip(storeOf(wrong))
      expect(error.message).toContain("the secret access key is wrong")
      expect(error.message).not.toContain(secret)
    }).pipe(Effect.scoped)
  )
})

describe("a generation in a bucket", () => {
  it.live(
    "is stored although the bucket refuses for a while after the image has come, and is read by another process",
    () =>
      Effect.gen(function* () {
        const { options } = yield* s3
        let refused = 0
        const proxy = yield* Effect.acquireRelease(
          Effect.promise(async () => {
            const server = http.createServer((request, response) => {
              const isRefused = request.method === "PUT" && refused++ < 3
              if (isRefused) return void request.resume().on("end", () => response.writeHead(503).end())
              const target = new URL(request.url ?? "", options.endpoint)
              const { headers, method } = request
              // `agent: false` closes the connection after the reply. The S3 server waits until its connections are
              // closed before it closes.
              const forwarded = http.request(target, { method, headers, agent: false }, (reply) => {
                response.writeHead(reply.statusCode ?? 500, reply.headers)
                reply.pipe(response)
              })
              request.pipe(forwarded)
            })
            server.listen(0, "127.0.0.1")
            await once(server, "listening")
            return server
          }),
          (server) => Effect.sync(() => server.close())
        )
        const address = proxy.address()
        const port = address !== null && typeof address === "object" ? address.port : 0
        const journal = Context.get(
          yield* Layer.build(GenerationJournal.layerMemory),
          GenerationJournal.GenerationJournal
        )
        const layerAt = (endpoint: string | undefined) =>
          DurableImages.layer().pipe(
            Layer.provideMerge(
              TestTransport.layerImages(() => TestTransport.response(TestImages.makeResponse(TestImages.png)))
            ),
            Layer.provide(Layer.succeed(GenerationJournal.GenerationJournal, journal)),
            Layer.provide(inBucket({ ...options, endpoint }))
          )
        const call = Images.generate({ prompt: "a sea otter" }, { idempotencyKey: "order 1" })
        const first = yield* Effect.provide(call, layerAt(`http://127.0.0.1:${port}`))
        expect(refused).toBeGreaterThan(3)
        const again = yield* Effect.gen(function* () {
          const response = yield* call
          expect((yield* TestTransport.requests).length).toBe(0)
          expect(Option.isSome(yield* DurableImages.get("order 1"))).toBe(true)
          return response
        }).pipe(Effect.provide(layerAt(options.endpoint)))
        expect(again.data[0].bytes).toEqual(first.data[0].bytes)
      }).pipe(Effect.scoped)
  )
})
