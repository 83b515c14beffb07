import { assert, describe, it } from "@effect/vitest"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Stream } from "effect"
import { HttpBody, HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { Readable } from "node:stream"
import { serve } from "./support/server.ts"

/** A server that replies with the content type and the body of the request, and two cookies. */
const echo = serve((request, response, body) => {
  const type = request.headers["content-type"]
  response.setHeader("set-cookie", ["a=1", "b=2"])
  if (type !== undefined) response.setHeader("content-type", type)
  response.end(body)
})

const bytes = new TextEncoder().encode("a=1&b=2")

/** Posts a request to `echo`, changed by `change`, and reads the reply with `read`. */
const post = <A, E>(
  change: (request: HttpClientRequest.HttpClientRequest) => HttpClientRequest.HttpClientRequest,
  read: (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const { baseUrl } = yield* echo
    const response = yield* HttpClient.execute(change(HttpClientRequest.post(`${baseUrl}/x?y=1#z`)))
    return { baseUrl, response, body: yield* read(response) }
  }).pipe(Effect.provide(NodeImages.layerHttpClient()), Effect.scoped)

describe("NodeImages.layerHttpClient, as a client for anything", () => {
  it.live("sends bodies of each kind", () =>
    Effect.gen(function* () {
      const form = new FormData()
      form.set("a", "1")
      const bodies = [
        HttpBody.text("a=1&b=2"),
        HttpBody.uint8Array(bytes),
        HttpBody.stream(Stream.fromArray([bytes.slice(0, 3), bytes.slice(3)])),
        HttpBody.raw("a=1&b=2"),
        HttpBody.raw(Readable.from(["a=1", "&b=2"]))
      ]
      for (const body of bodies) {
        const sent = yield* post(HttpClientRequest.setBody(body), (response) => response.text)
        assert.strictEqual(sent.body, "a=1&b=2")
      }
      const { body } = yield* post(HttpClientRequest.bodyFormData(form), (response) => response.formData)
      assert.strictEqual(body.get("a"), "1")
      const error = yield* Effect.flip(post(HttpClientRequest.setBody(HttpBody.raw(1)), (response) => response.text))
      assert.strictEqual(error.reason._tag, "EncodeError")
    })
  )

  it.live("reads a body in each form", () =>
    Effect.gen(function* () {
      const send = HttpClientRequest.bodyText("[1]", "application/json")
      assert.deepStrictEqual((yield* post(send, (response) => response.json)).body, [1])
      const twice = yield* post(send, (response) => Effect.all([response.text, response.arrayBuffer, response.json]))
      assert.deepStrictEqual(twice.body, ["[1]", new TextEncoder().encode("[1]").buffer, [1]])
      const pairs = yield* post(HttpClientRequest.bodyText("a=1&b=2"), (response) => response.urlParamsBody)
      assert.deepStrictEqual(
        [...pairs.body],
        [
          ["a", "1"],
          ["b", "2"]
        ]
      )
      const broken = yield* Effect.flip(post(HttpClientRequest.bodyText("{"), (response) => response.json))
      assert.strictEqual(broken.reason._tag, "DecodeError")
    })
  )

  it.live("returns the head of a response", () =>
    Effect.gen(function* () {
      const { baseUrl, response } = yield* post(HttpClientRequest.bodyText("x"), ({ text }) => text)
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.url, `${baseUrl}/x?y=1`)
      assert.deepStrictEqual(Object.keys(response.cookies.cookies), ["a", "b"])
      assert.strictEqual(response.headers["content-type"], "text/plain")
      assert.include(JSON.stringify(response), "effect/http/HttpClientResponse")
      assert.strictEqual((yield* Effect.flip(response.upgrade)).reason._tag, "StatusCodeError")
    })
  )
})
