/** The endpoint itself, the same on a port and in process: a router that answers as the real service does. */
import { GeneratedImage, ImageGenerateResponse } from "@effect-gradient/core"
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
import type { Fault } from "../../Fault.ts"
import * as Ledger from "../../Ledger.ts"
import { respond } from "./body.ts"
import { Connection } from "./Connection.ts"
import { eventFrames } from "./events.ts"
import * as Failing from "./failing.ts"
import * as Frame from "./Frame.ts"
import * as Head from "./head.ts"
import * as Order from "./Order.ts"
import { picture, settingsOf } from "./pictures.ts"
import { Refusal, toResponse } from "./Refusal.ts"
import { usageOf } from "./usage.ts"

export interface EndpointOptions extends Failing.FaultOptions {
  readonly latency: Duration.Input
  readonly pace: Duration.Input
  readonly seed: number
}

/** Enough for a prompt of 32,000 characters, each of them escaped. */
const largestBody = 1024 * 1024

const tooLarge = new Refusal({ status: 413, message: `The body is larger than ${largestBody} bytes.` })

const isTooLarge = ({ reason }: HttpServerError.HttpServerError) =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"

/** Any key will do, but there must be one. */
const authorize = ({ headers }: HttpServerRequest.HttpServerRequest) =>
  /^bearer +\S/i.test(headers["authorization"] ?? "")
    ? Effect.void
    : new Refusal({ status: 401, message: "No key was given; any will do here.", code: "invalid_api_key" })

const bodyOf = (request: HttpServerRequest.HttpServerRequest) =>
  Number(request.headers["content-length"] ?? 0) > largestBody
    ? tooLarge
    : request.text.pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(largestBody)),
        Effect.mapError((error) =>
          isTooLarge(error) ? tooLarge : new Refusal({ status: 400, message: "The body cannot be read." })
        )
      )

const encodeResponse = Schema.encodeEffect(ImageGenerateResponse.Json)

/** All pictures of the order, in one reply. */
const wholeFrame = Effect.fnUntraced(function* (order: Order.Order, seed: number) {
  const made = yield* Effect.forEach(Array.from({ length: order.n }).keys(), (index) => picture(order, seed, index))
  const [first, ...rest] = made.map((bytes) => new GeneratedImage.GeneratedImage({ bytes }))
  if (first === undefined) return yield* Effect.die("an order has at least one picture")
  const response = new ImageGenerateResponse.ImageGenerateResponse({
    created: yield* DateTime.now,
    data: [first, ...rest],
    ...settingsOf(order),
    usage: usageOf(order)
  })
  return { kind: "whole", text: JSON.stringify(yield* encodeResponse(response)) } satisfies Frame.Frame
}, Effect.orDie)

/** The reply to an order, as far as the fault lets it come. */
const replyTo = Effect.fnUntraced(function* (order: Order.Order, { pace, seed }: EndpointOptions, fault?: Fault) {
  const isStream = order.partialImages !== undefined
  const frames = isStream
    ? eventFrames(order, { pace, seed, lastFirst: fault?._tag === "completed-first" })
    : Stream.fromEffect(wholeFrame(order, seed))
  const bytes = Stream.encodeText(Frame.toText(frames, fault, order.partialImages))
  if (isStream) return yield* respond(bytes, "text/event-stream", fault)
  const whole = fault?._tag === "endless-event" ? bytes : yield* Stream.mkUint8Array(bytes)
  return yield* respond(whole, "application/json", fault)
})

/** What the service does before it takes work on, if the fault is of that kind. */
const refuse = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  fault: Fault | undefined,
  requestId: string
) {
  switch (fault?._tag) {
    case "refuse":
      return yield* (yield* Connection).break("refused")
    case "redirect":
      return Failing.redirectReply(request, fault.to)
    case "status":
      return Failing.isBeforeWork(fault) ? yield* Failing.statusReply(fault, requestId) : undefined
    default:
      return undefined
  }
})

/** What it does in place of the reply. */
const failInstead = Effect.fnUntraced(function* (fault: Fault | undefined, requestId: string) {
  switch (fault?._tag) {
    case "reset":
      return yield* (yield* Connection).break("reset")
    case "reset-headers":
      return yield* (yield* Connection).break("reset-within-headers")
    case "status":
      return yield* Failing.statusReply(fault, requestId)
    default:
      return undefined
  }
})

const generations = (options: EndpointOptions, ledger: Ledger.Ledger["Service"]) => {
  const nextFault = Failing.make(options)
  return Effect.fnUntraced(
    function* (request: HttpServerRequest.HttpServerRequest, id: string) {
      yield* ledger.count
      const fault = yield* nextFault(request)
      const refused = yield* refuse(request, fault, id)
      if (refused !== undefined) return refused
      yield* authorize(request)
      const order = yield* Effect.flatMap(bodyOf(request), Order.fromBody)
      const { model, n, prompt } = order
      const entry = new Ledger.Entry({ id, prompt, model, n, at: yield* DateTime.now })
      if (!Failing.isBeforeWork(fault)) yield* ledger.enter(entry)
      yield* Effect.sleep(options.latency)
      if (fault?._tag === "stall-headers") yield* Effect.sleep(fault.for)
      return (yield* failInstead(fault, id)) ?? (yield* replyTo(order, options, fault))
    },
    Effect.catchTag("Refusal", (refusal) => Effect.succeed(toResponse(refusal)))
  )
}

const notFound = toResponse(
  new Refusal({ status: 404, message: "The emulator has POST /v1/images/generations.", code: "not_found" })
)

const encodeAccount = Schema.encodeEffect(Ledger.Json)

/** The endpoint as one effect that answers the current request. */
export const make = (options: EndpointOptions) =>
  Effect.gen(function* () {
    const ledger = yield* Ledger.Ledger
    const nextHead = yield* Head.make
    const answer = generations(options, ledger)
    const account = Effect.flatMap(ledger.account, encodeAccount).pipe(Effect.orDie)
    return yield* HttpRouter.toHttpEffect(
      Layer.mergeAll(
        HttpRouter.add("POST", "/v1/images/generations", (request) =>
          Effect.flatMap(nextHead, ({ headers, id }) =>
            Effect.map(answer(request, id), HttpServerResponse.setHeaders(headers))
          )
        ),
        HttpRouter.add(
          "GET",
          "/emulator/ledger",
          Effect.map(account, (json) => HttpServerResponse.jsonUnsafe(json))
        ),
        HttpRouter.add(
          "*",
          "*",
          Effect.map(nextHead, ({ headers }) => HttpServerResponse.setHeaders(notFound, headers))
        )
      )
    )
  })
