/** The endpoint itself, the same on a port and in process: a router that answers as the real service does. */
import { ImageGenerateResponse } from "@effect-gradient/core"
import * as ByteSize from "effect/ByteSize"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerError from "effect/http/HttpServerError"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { eventStream } from "./events.ts"
import * as Head from "./head.ts"
import * as Order from "./Order.ts"
import { picture, settingsOf } from "./pictures.ts"
import * as Refusal from "./Refusal.ts"
import { usageOf } from "./usage.ts"

export interface EndpointOptions {
  readonly latency: Duration.Input
  readonly pace: Duration.Input
  readonly seed: number
}

/** Enough for a prompt of 32,000 characters, each of them escaped. */
const largestBody = 1024 * 1024

const tooLarge = new Refusal.Refusal({ status: 413, message: `The body is larger than ${largestBody} bytes.` })

const isTooLarge = ({ reason }: HttpServerError.HttpServerError) =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"

/** Any key will do, but there must be one. */
const authorize = ({ headers }: HttpServerRequest.HttpServerRequest) =>
  /^bearer +\S/i.test(headers["authorization"] ?? "")
    ? Effect.void
    : new Refusal.Refusal({ status: 401, message: "No key was given; any will do here.", code: "invalid_api_key" })

const bodyOf = (request: HttpServerRequest.HttpServerRequest) =>
  Number(request.headers["content-length"] ?? 0) > largestBody
    ? tooLarge
    : request.text.pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(largestBody)),
        Effect.mapError((error) =>
          isTooLarge(error) ? tooLarge : new Refusal.Refusal({ status: 400, message: "The body cannot be read." })
        )
      )

const encodeResponse = Schema.encodeEffect(ImageGenerateResponse.Json)

/** All pictures of the order, in one reply. */
const wholeReply = Effect.fnUntraced(function* (order: Order.Order, seed: number) {
  const made = yield* Effect.forEach(Array.from({ length: order.n }).keys(), (index) => picture(order, seed, index))
  const [first, ...rest] = made.map((bytes) => new ImageGenerateResponse.GeneratedImage({ bytes }))
  if (first === undefined) return yield* Effect.die("an order has at least one picture")
  const response = new ImageGenerateResponse.ImageGenerateResponse({
    created: yield* DateTime.now,
    data: [first, ...rest],
    ...settingsOf(order),
    usage: usageOf(order)
  })
  return HttpServerResponse.jsonUnsafe(yield* encodeResponse(response))
})

const streamedReply = (order: Order.Order, { pace, seed }: EndpointOptions) =>
  HttpServerResponse.stream(Stream.encodeText(eventStream(order, seed, pace)), {
    contentType: "text/event-stream",
    headers: { "cache-control": "no-cache" }
  })

const generations = (options: EndpointOptions) =>
  Effect.fnUntraced(
    function* (request: HttpServerRequest.HttpServerRequest) {
      yield* authorize(request)
      const order = yield* Effect.flatMap(bodyOf(request), Order.fromBody)
      yield* Effect.sleep(options.latency)
      return order.partialImages === undefined ? yield* wholeReply(order, options.seed) : streamedReply(order, options)
    },
    Effect.catchTags({
      Refusal: (refusal) => Effect.succeed(Refusal.toResponse(refusal)),
      EncodingError: Effect.die,
      SchemaError: Effect.die
    })
  )

const notFound = Refusal.toResponse(
  new Refusal.Refusal({ status: 404, message: "The emulator has POST /v1/images/generations.", code: "not_found" })
)

/** The endpoint as one effect that answers the current request. */
export const make = (options: EndpointOptions) =>
  Effect.gen(function* () {
    const withHead = yield* Head.make
    const answer = generations(options)
    return yield* HttpRouter.toHttpEffect(
      Layer.mergeAll(
        HttpRouter.add("POST", "/v1/images/generations", (request) => Effect.flatMap(answer(request), withHead)),
        HttpRouter.add("*", "*", () => withHead(notFound))
      )
    )
  })
