import { assert, describe, it } from "@effect/vitest"
import { Images, ImageStream, RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Stream } from "effect"
import type { ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import * as zlib from "node:zlib"
import { completed, eventually, partialImage, png, responseBody, serve } from "./support/server.ts"

const image = png(200_000)
const params = { prompt: "A sea otter" }
const layer = (baseUrl: string) => NodeImages.layer({ baseUrl, retry: RetryPolicy.none })

const gzip = (body: string | Buffer) => zlib.gzipSync(body)
const br = (body: string | Buffer) => zlib.brotliCompressSync(body)

/** A name for the test, the values of `content-encoding`, and the function that encodes the body. */
const encodings: ReadonlyArray<readonly [string, string | Array<string>, (body: string) => string | Buffer]> = [
  ["gzip", "gzip", gzip],
  ["x-gzip", "x-gzip", gzip],
  ["br", "br", br],
  ["zstd", "zstd", (body) => zlib.zstdCompressSync(body)],
  ["deflate with zlib's header", "deflate", (body) => zlib.deflateSync(body)],
  ["deflate without a header", "deflate", (body) => zlib.deflateRawSync(body)],
  ["a list, first encoding first", "gzip, br", (body) => br(gzip(body))],
  ["the other order", "br, gzip", (body) => gzip(br(body))],
  ["two header lines", ["gzip", "br"], (body) => br(gzip(body))],
  ["gzip twice", "gzip,gzip", (body) => gzip(gzip(body))],
  ["identity", "identity", (body) => body],
  ["a list with identity", "gzip, identity", gzip],
  ["a space behind the name", "gzip ", gzip],
  ["upper case", "GZIP", gzip],
  ["an empty header", "", (body) => body],
  ["a name that is not an encoding, and text", "utf-8", (body) => body],
  ...["gzip", "br", "deflate", "zstd", "gzip, br"].map(
    (name) => [`${name} left by a proxy that decoded the body`, name, (body: string) => body] as const
  )
]

type Coder = readonly [name: string, encode: (body: Buffer) => Buffer]

const coders: ReadonlyArray<Coder> = [
  ["gzip", (body) => zlib.gzipSync(body)],
  ["br", (body) => zlib.brotliCompressSync(body)],
  ["zstd", (body) => zlib.zstdCompressSync(body)],
  ["deflate", (body) => zlib.deflateSync(body)],
  ["deflate", (body) => zlib.deflateRawSync(body)],
  ["identity", (body) => body]
]

/** Returns a function that returns random numbers from 0 to 1. The same seed gives the same numbers. */
const randomFrom = (seed: number) => {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

const missing = (): never => {
  throw new Error("there is nothing to pick from")
}

describe("content-encoding", () => {
  for (const [name, header, encode] of encodings) {
    it.live(`${name}: a response is decoded`, () =>
      Effect.gen(function* () {
        const server = yield* serve((_, response) => {
          response.setHeader("content-encoding", header).end(encode(responseBody(image)))
        })
        const { data } = yield* Images.generate(params).pipe(Effect.provide(layer(server.baseUrl)))
        assert.isTrue(image.equals(data[0].bytes))
      }).pipe(Effect.scoped)
    )

    it.live(`${name}: an error is decoded`, () =>
      Effect.gen(function* () {
        const server = yield* serve((_, response) => {
          response.setHeader("content-encoding", header).writeHead(429).end(encode('{"message":"Wait a little"}'))
        })
        const error = yield* Images.generate(params).pipe(Effect.flip, Effect.provide(layer(server.baseUrl)))
        assert.strictEqual(error.reason._tag, "RateLimitError")
        assert.strictEqual(error.reason.description, "Wait a little")
      }).pipe(Effect.scoped)
    )
  }

  it.live("any list of encodings around any reply, under any content type: the image arrives", () =>
    Effect.gen(function* () {
      const seed = Date.now() % 100_000
      const random = randomFrom(seed)
      const pick = <A>(values: ReadonlyArray<A>): A => values[Math.floor(random() * values.length)] ?? missing()
      for (let round = 0; round < 60; round++) {
        const picked = png(1 + Math.floor(random() * 50_000))
        const list = Array.from({ length: Math.floor(random() * 4) }, () => pick(coders))
        const body = list.reduce<Buffer>(
          (encoded, [, encode]) => encode(encoded),
          Buffer.from(pick([responseBody(picked), completed(picked)]))
        )
        const headers = {
          "content-encoding": list.map(([name]) => pick([name, name.toUpperCase(), ` ${name} `])).join(","),
          "content-type": pick(["application/json", "text/event-stream", "text/plain", "application/octet-stream"])
        }
        const server = yield* serve((_, response) => {
          response.writeHead(200, headers)
          for (let at = 0; at < body.length; at += 7000) response.write(body.subarray(at, at + 7000))
          response.end()
        })
        const what = `seed ${seed}, round ${round}, ${JSON.stringify(headers)}`
        const call = pick([
          Effect.map(Images.generate(params), ({ data }) => data[0].bytes),
          Effect.map(ImageStream.runCompleted(Images.generateStream(params)), ({ bytes }) => bytes)
        ])
        const bytes = yield* call.pipe(
          Effect.provide(layer(server.baseUrl)),
          Effect.mapError((error) => new Error(`${what}: ${error.message}`))
        )
        assert.isTrue(picked.equals(bytes), what)
      }
    }).pipe(Effect.scoped)
  )

  it.live("emits the images of a compressed stream as they arrive", () =>
    Effect.gen(function* () {
      let release: () => void = () => undefined
      const server = yield* serve((_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" })
        const compress = zlib.createGzip()
        compress.pipe(response)
        compress.write(partialImage(0, image))
        compress.flush()
        release = () => compress.end(completed(image))
      })
      const tags: Array<string> = []
      yield* Images.generateStream(params).pipe(
        Stream.runForEach(({ _tag }) =>
          Effect.sync(() => {
            tags.push(_tag)
            release()
          })
        ),
        Effect.provide(layer(server.baseUrl))
      )
      assert.deepStrictEqual(tags, ["PartialImage", "Completed"])
    }).pipe(Effect.scoped)
  )

  it.live.each(["gzip", "compress", "br, compress", Array.from({ length: 9 }, () => "gzip").join()])(
    "%s that cannot be decoded: an invalid response, and an error keeps its status without binary words",
    (header) =>
      Effect.gen(function* () {
        let status = 200
        const server = yield* serve((_, response) => {
          response.writeHead(status, { "content-encoding": header }).end(Buffer.from([0x9d, 0x1f, 0, 1, 2, 3, 254]))
        })
        const fail = Images.generate(params).pipe(Effect.flip, Effect.provide(layer(server.baseUrl)))
        const broken = yield* fail
        assert.strictEqual(broken.reason._tag, "InvalidResponseError")
        assert.isFalse(broken.isRetryable)
        status = 429
        const refused = yield* fail
        assert.strictEqual(refused.reason._tag, "RateLimitError")
        assert.match(refused.message, /^[ -~]*$/)
      }).pipe(Effect.scoped)
  )

  it.live("does not keep 500 MB of blanks in memory, whatever the status", () =>
    Effect.gen(function* () {
      const blanks = Buffer.alloc(1024 * 1024, " ")
      const sendBlanks = async (response: ServerResponse) => {
        const source = Readable.from(Array.from({ length: 500 }, () => blanks))
        // The pipeline fails when the client closes the connection early.
        await pipeline(source, zlib.createGzip(), response).catch(() => undefined)
      }
      let status = 200
      const server = yield* serve((_, response) => {
        response.writeHead(status, { "content-encoding": "gzip" })
        void sendBlanks(response)
      })
      for (status of [200, 500]) {
        const before = process.memoryUsage().arrayBuffers
        let most = 0
        const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 1)
        const error = yield* Images.generate(params).pipe(Effect.flip, Effect.provide(layer(server.baseUrl)))
        clearInterval(watch)
        assert.strictEqual(error.reason.status, status)
        assert.isBelow(most - before, 50_000_000)
        yield* eventually(() => server.sockets.size === 0, "the connection is closed")
      }
    }).pipe(Effect.scoped)
  )

  it.live("closes the connection if the consumer of a compressed body stops early", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" })
        const compress = zlib.createGzip()
        compress.pipe(response)
        compress.write(partialImage(0, image))
        compress.flush()
      })
      yield* Effect.gen(function* () {
        yield* Images.generateStream(params).pipe(Stream.take(1), Stream.runDrain)
        yield* eventually(() => server.sockets.size === 0, "the connection is closed")
      }).pipe(Effect.provide(layer(server.baseUrl)))
    }).pipe(Effect.scoped)
  )

  it.live("keeps the connection after a compressed body", () =>
    Effect.gen(function* () {
      const ports = new Set<number | undefined>()
      const server = yield* serve((request, response) => {
        ports.add(request.socket.remotePort)
        response.setHeader("content-encoding", "gzip").end(gzip(responseBody(image)))
      })
      yield* Effect.repeat(Images.generate(params), { times: 4 }).pipe(Effect.provide(layer(server.baseUrl)))
      assert.isAtMost(ports.size, 2)
    }).pipe(Effect.scoped)
  )
})
