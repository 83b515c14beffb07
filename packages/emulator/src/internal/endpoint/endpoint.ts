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
import { Exchange, follow } from "./Exchange.ts"
import * as Failing from "./failing.ts"
import * as Frame from "./Frame.ts"
import * as Head from "./head.ts"
import * as Models from "./models.ts"
import * as Order from "./Order.ts"
import * as Pictures from "./pictures.ts"
import { Refusal, toResponse } from "./Refusal.ts"
import { usageOf } from "./usage.ts"

export interface EndpointOptions extends Failing.FaultOptions {
  readonly latency: Duration.Input
  readonly pace: Duration.Input
  readonly seed: number
  readonly pictures: "painted" | "plain"
  readonly models: ReadonlyArray<string>
  readonly logRequests: boolean
}

/** Enough for a prompt of 32,000 characters if each is escaped. */
const largestBody = 1024 * 1024

const tooLarge = new Refusal({ status: 413, message: `The body is larger than ${largestBody} bytes.` })

const isTooLarge = ({ reason }: HttpServerError.HttpServerError) =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"

/** Accepts any key, but refuses none. */
const authorize = ({ headers }: HttpServerRequest.HttpServerRequest) =>
  /^bearer +\S/i.test(headers["authorization"] ?? "")
    ? Effect.void
    : new Refusal({ status: 401, message: "No key was given. The emulator accepts any.", code: "invalid_api_key" })

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

/** All images of the order, in one reply. */
const wholeFrame = Effect.fnUntraced(function* (order: Order.Order, draw: Pictures.Draw) {
  const made = yield* Effect.forEach(Array.from({ length: order.n }).keys(), (index) => draw(order, index))
  const [first, ...rest] = made.map((bytes) => new GeneratedImage.GeneratedImage({ bytes }))
  if (first === undefined) return yield* Effect.die("an order has at least one image")
  const response = new ImageGenerateResponse.ImageGenerateResponse({
    created: yield* DateTime.now,
    data: [first, ...rest],
    ...Pictures.settingsOf(order),
    usage: usageOf(order)
  })
  return { kind: "whole", text: JSON.stringify(yield* encodeResponse(response)) } satisfies Frame.Frame
}, Effect.orDie)

/** Notes which frame has the last of the images. */
const watchFrames = (frames: Stream.Stream<Frame.Frame>, n: number, exchange: Exchange["Service"]) => {
  let completed = 0
  return Stream.tap(frames, ({ kind }) =>
    Effect.sync(() => {
      if (kind === "completed") completed++
      if (kind === "whole" || completed === n) exchange.isMade = true
    })
  )
}

const watchBytes = (bytes: Stream.Stream<Uint8Array>, exchange: Exchange["Service"]) =>
  Stream.tap(bytes, ({ length }) =>
    Effect.sync(() => {
      exchange.bytesMade += length
    })
  )

/** The reply to an order, with what the fault does to it. */
const replyTo = Effect.fnUntraced(function* (
  order: Order.Order,
  { draw, pace }: { readonly draw: Pictures.Draw; readonly pace: Duration.Input },
  fault?: Fault
) {
  const exchange = yield* Exchange
  const isStream = (order.partialImages !== undefined) !== (fault?._tag === "swap-stream")
  const frames = isStream
    ? eventFrames(order, { pace, draw, lastFirst: fault?._tag === "completed-first" })
    : Stream.fromEffect(wholeFrame(order, draw))
  const text = Frame.toText(watchFrames(frames, order.n, exchange), fault, order.partialImages)
  const bytes = watchBytes(Stream.encodeText(text), exchange)
  if (isStream) return yield* respond(bytes, "text/event-stream", fault)
  const whole = fault?._tag === "endless-event" ? bytes : yield* Stream.mkUint8Array(bytes)
  return yield* respond(whole, "application/json", fault)
})

/** The reply of a fault that happens before the work, if it is of that kind. */
const refuse = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  fault: Fault | undefined,
  requestId: string
) {
  switch (fault?._tag) {
    case "refuse":
      return yield* (yield* Connection).break("refused")
    case "not-http":
      return yield* (yield* Connection).break("not-http")
    case "redirect":
      return Failing.redirectReply(request, fault.to)
    case "status":
      return Failing.isBeforeWork(fault) ? yield* Failing.statusReply(fault, requestId) : undefined
    default:
      return undefined
  }
})

/** The reply of a fault that happens after the work, instead of the images. */
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

type Head = ReturnType<typeof Head.make>

const generations = (
  options: EndpointOptions,
  failing: ReturnType<typeof Failing.make>,
  head: Head,
  ledger: Ledger.Ledger["Service"]
) => {
  const replyOptions = { draw: Pictures.make(options.pictures, options.seed), pace: options.pace }
  const [defaultModel = ""] = options.models
  const charge = Effect.fnUntraced(function* (id: string, order: Order.Order) {
    const { model, n, prompt } = order
    const entry = new Ledger.Entry({ id, prompt, model, n, at: yield* DateTime.now })
    yield* ledger.enter(entry)
    yield* head.countTokens(usageOf(order).totalTokens)
    const exchange = yield* Exchange
    exchange.charged = entry
  })
  return Effect.fnUntraced(
    function* (request: HttpServerRequest.HttpServerRequest, id: string) {
      yield* ledger.count
      const fault = yield* failing.next(request)
      const refused = yield* refuse(request, fault, id)
      if (refused !== undefined) return refused
      yield* authorize(request)
      const order = yield* Effect.flatMap(bodyOf(request), (body) => Order.fromBody(body, defaultModel))
      if (!options.models.includes(order.model) || failing.retires(order.model, fault)) return Models.notFoundReply(id)
      if (!Failing.isBeforeWork(fault)) yield* charge(id, order)
      yield* Effect.sleep(options.latency)
      if (fault?._tag === "stall-headers") yield* Effect.sleep(fault.for)
      return (yield* failInstead(fault, id)) ?? (yield* replyTo(order, replyOptions, fault))
    },
    Effect.catchTag("Refusal", (refusal) => Effect.succeed(toResponse(refusal)))
  )
}

const notFound = toResponse(
  new Refusal({
    status: 404,
    message: "The emulator has POST /v1/images/generations and GET /v1/models.",
    code: "not_found"
  })
)

const encodeAccount = Schema.encodeEffect(Ledger.Json)

/** Sends the reply with the headers that every reply has, unless it has its own of that name. */
const withHead = <E, R>(
  head: Head,
  answer: (id: string) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) =>
  Effect.gen(function* () {
    const id = yield* Head.nextId
    yield* head.countRequest
    const response = yield* answer(id)
    return HttpServerResponse.setHeaders(response, { ...head.headers(id), ...response.headers })
  })

/** The endpoint as one effect that answers the current request. */
export const make = (options: EndpointOptions) =>
  Effect.gen(function* () {
    const ledger = yield* Ledger.Ledger
    const head = Head.make()
    const failing = Failing.make(options)
    const generate = generations(options, failing, head, ledger)
    const account = Effect.flatMap(ledger.account, encodeAccount).pipe(Effect.orDie)
    const listModels = Effect.fnUntraced(
      function* (request: HttpServerRequest.HttpServerRequest) {
        yield* authorize(request)
        return Models.listReply(options.models.filter(failing.isListed))
      },
      Effect.catchTag("Refusal", (refusal) => Effect.succeed(toResponse(refusal)))
    )
    const app = yield* HttpRouter.toHttpEffect(
      Layer.mergeAll(
        HttpRouter.add("POST", "/v1/images/generations", (request) => withHead(head, (id) => generate(request, id))),
        HttpRouter.add("GET", "/v1/models", (request) => withHead(head, () => listModels(request))),
        HttpRouter.add(
          "GET",
          "/emulator/ledger",
          Effect.map(account, (json) => HttpServerResponse.jsonUnsafe(json))
        ),
        HttpRouter.add(
          "*",
          "*",
          withHead(head, () => Effect.succeed(notFound))
        )
      )
    )
    return follow(app, { ledger, logRequests: options.logRequests })
  })
