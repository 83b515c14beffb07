/** The router of the emulated service. It is the same on a port and in process. */
import { GeneratedImage, ImageGenerateResponse } from "@effect-gradient/core"
import * as ErrorBody from "@effect-gradient/core/ErrorBody"
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
import { ApiError, toResponse } from "./ApiError.ts"
import { makeCommonHeaders, makeRequestId } from "./commonHeaders.ts"
import { Connection } from "./Connection.ts"
import { type Draw, makeDraw, settingsOf } from "./drawImage.ts"
import { eventParts } from "./eventParts.ts"
import * as Faults from "./faults.ts"
import { respond } from "./faultyBody.ts"
import { type ReplyPart, toText } from "./faultyText.ts"
import * as GenerationRequest from "./GenerationRequest.ts"
import * as Models from "./models.ts"
import { ReplyState, trackReply } from "./trackReply.ts"
import { usageOf } from "./usage.ts"

export interface EndpointOptions extends Faults.FaultOptions {
  readonly latency: Duration.Input
  readonly pace: Duration.Input
  readonly seed: number
  readonly images: "painted" | "plain"
  readonly models: ReadonlyArray<string>
  readonly logRequests: boolean
}

/** The maximum size of a request body in bytes. It is enough for a prompt of 32,000 characters that are all escaped. */
const largestBody = 1024 * 1024

const tooLarge = new ApiError({ status: 413, message: `The body is larger than ${largestBody} bytes.` })

const isTooLarge = ({ reason }: HttpServerError.HttpServerError) =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"

/** Fails with 401 if the request has no key. Any key is accepted. */
const requireKey = ({ headers }: HttpServerRequest.HttpServerRequest) =>
  /^bearer +\S/i.test(headers["authorization"] ?? "")
    ? Effect.void
    : new ApiError({
        status: 401,
        message: "No key was given. The emulator accepts any key.",
        code: ErrorBody.codes.invalidApiKey
      })

const readBody = (httpRequest: HttpServerRequest.HttpServerRequest) =>
  Number(httpRequest.headers["content-length"] ?? 0) > largestBody
    ? tooLarge
    : httpRequest.text.pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(largestBody)),
        Effect.mapError((error) =>
          isTooLarge(error) ? tooLarge : new ApiError({ status: 400, message: "The body cannot be read." })
        )
      )

const encodeResponse = Schema.encodeEffect(ImageGenerateResponse.Json)

const jsonPart = Effect.fnUntraced(function* (request: GenerationRequest.GenerationRequest, draw: Draw) {
  const drawn = yield* Effect.forEach(Array.from({ length: request.n }).keys(), (index) => draw(request, index))
  const [first, ...rest] = drawn.map((bytes) => new GeneratedImage.GeneratedImage({ bytes }))
  if (first === undefined) return yield* Effect.die("a request must have at least one image")
  const response = new ImageGenerateResponse.ImageGenerateResponse({
    created: yield* DateTime.now,
    data: [first, ...rest],
    ...settingsOf(request),
    usage: usageOf(request)
  })
  return { kind: "json", text: JSON.stringify(yield* encodeResponse(response)) } satisfies ReplyPart
}, Effect.orDie)

/** Sets `hasAllImages` in the state when the JSON, or the event with the last final image, passes. */
const recordImages = (parts: Stream.Stream<ReplyPart>, n: number, state: ReplyState["Service"]) => {
  let completed = 0
  return Stream.tap(parts, ({ kind }) =>
    Effect.sync(() => {
      if (kind === "completed") completed++
      if (kind === "json" || completed === n) state.hasAllImages = true
    })
  )
}

const recordBytes = (bytes: Stream.Stream<Uint8Array>, state: ReplyState["Service"]) =>
  Stream.tap(bytes, ({ length }) =>
    Effect.sync(() => {
      state.bytesMade += length
    })
  )

/** Makes the reply with the images of the request, changed by the fault. */
const replyWithImages = Effect.fnUntraced(function* (
  request: GenerationRequest.GenerationRequest,
  { draw, pace }: { readonly draw: Draw; readonly pace: Duration.Input },
  fault?: Fault
) {
  const state = yield* ReplyState
  const isStream = (request.partialImages !== undefined) !== (fault?._tag === "swap-stream")
  const parts = isStream
    ? eventParts(request, { pace, draw, finalFirst: fault?._tag === "completed-first" })
    : Stream.fromEffect(jsonPart(request, draw))
  const text = toText(recordImages(parts, request.n, state), fault, request.partialImages)
  const bytes = recordBytes(Stream.encodeText(text), state)
  if (isStream) return yield* respond(bytes, "text/event-stream", fault)
  const body = fault?._tag === "endless-event" ? bytes : yield* Stream.mkUint8Array(bytes)
  return yield* respond(body, "application/json", fault)
})

/**
 * Acts on the faults that come before the images are generated: returns the reply of `redirect`, or of a `status` that
 * is not charged for, and breaks the connection for `refuse` and `not-http`. Otherwise returns `undefined`.
 */
const replyBeforeWork = Effect.fnUntraced(function* (
  httpRequest: HttpServerRequest.HttpServerRequest,
  fault: Fault | undefined,
  requestId: string
) {
  switch (fault?._tag) {
    case "refuse":
      return yield* (yield* Connection).break("refused")
    case "not-http":
      return yield* (yield* Connection).break("not-http")
    case "redirect":
      return Faults.redirectReply(httpRequest, fault.to)
    case "status":
      return Faults.isBeforeWork(fault) ? yield* Faults.statusReply(fault, requestId) : undefined
    default:
      return undefined
  }
})

/**
 * Acts on the faults that replace the images after they were charged for: breaks the connection for `reset` and
 * `reset-headers`, and returns the reply of `status`. Otherwise returns `undefined`.
 */
const replyInsteadOfImages = Effect.fnUntraced(function* (fault: Fault | undefined, requestId: string) {
  switch (fault?._tag) {
    case "reset":
      return yield* (yield* Connection).break("reset")
    case "reset-headers":
      return yield* (yield* Connection).break("reset-within-headers")
    case "status":
      return yield* Faults.statusReply(fault, requestId)
    default:
      return undefined
  }
})

type CommonHeaders = ReturnType<typeof makeCommonHeaders>

const generations = (
  options: EndpointOptions,
  faults: ReturnType<typeof Faults.makeFaultQueue>,
  commonHeaders: CommonHeaders,
  ledger: Ledger.Ledger["Service"]
) => {
  const replyOptions = { draw: makeDraw(options.images, options.seed), pace: options.pace }
  const [defaultModel = ""] = options.models
  const charge = Effect.fnUntraced(function* (id: string, request: GenerationRequest.GenerationRequest) {
    const { model, n, prompt } = request
    const entry = new Ledger.Entry({ id, prompt, model, n, at: yield* DateTime.now })
    yield* ledger.enter(entry)
    yield* commonHeaders.countTokens(usageOf(request).totalTokens)
    const state = yield* ReplyState
    state.charged = entry
  })
  return Effect.fnUntraced(
    function* (httpRequest: HttpServerRequest.HttpServerRequest, id: string) {
      yield* ledger.count
      const atOnce = yield* faults.next(httpRequest, Faults.isBeforeChecks)
      const early = yield* replyBeforeWork(httpRequest, atOnce, id)
      if (early !== undefined) return early
      yield* requireKey(httpRequest)
      const request = yield* Effect.flatMap(readBody(httpRequest), (body) =>
        GenerationRequest.fromBody(body, defaultModel)
      )
      if (!options.models.includes(request.model)) return Models.notFoundReply(id)
      const fault = yield* faults.next(httpRequest)
      if (faults.retires(request.model, fault)) return Models.notFoundReply(id)
      // Meanwhile another request may have used up the first fault, and the next one may act before the images.
      const late = yield* replyBeforeWork(httpRequest, fault, id)
      if (late !== undefined) return late
      if (!Faults.isBeforeWork(fault)) yield* charge(id, request)
      yield* Effect.sleep(options.latency)
      if (fault?._tag === "stall-headers") yield* Effect.sleep(fault.for)
      return (yield* replyInsteadOfImages(fault, id)) ?? (yield* replyWithImages(request, replyOptions, fault))
    },
    Effect.catchTag("ApiError", (error) => Effect.succeed(toResponse(error)))
  )
}

const notFound = toResponse(
  new ApiError({
    status: 404,
    message: "The emulator has only POST /v1/images/generations, GET /v1/models and GET /emulator/ledger.",
    code: ErrorBody.codes.notFound
  })
)

const encodeAccount = Schema.encodeEffect(Ledger.Json)

/** Adds the common headers to the reply. A header that the reply already has is kept. */
const withCommonHeaders = <E, R>(
  commonHeaders: CommonHeaders,
  answer: (id: string) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) =>
  Effect.gen(function* () {
    const id = yield* makeRequestId
    yield* commonHeaders.countRequest
    const response = yield* answer(id)
    return HttpServerResponse.setHeaders(response, { ...commonHeaders.headers(id), ...response.headers })
  })

/** Makes the effect that replies to each request to one emulator. */
export const make = (options: EndpointOptions) =>
  Effect.gen(function* () {
    const ledger = yield* Ledger.Ledger
    const commonHeaders = makeCommonHeaders()
    const faults = Faults.makeFaultQueue(options)
    const generate = generations(options, faults, commonHeaders, ledger)
    const account = Effect.flatMap(ledger.account, encodeAccount).pipe(Effect.orDie)
    const listModels = Effect.fnUntraced(
      function* (httpRequest: HttpServerRequest.HttpServerRequest) {
        yield* requireKey(httpRequest)
        return Models.listReply(options.models.filter(faults.isListed))
      },
      Effect.catchTag("ApiError", (error) => Effect.succeed(toResponse(error)))
    )
    const app = yield* HttpRouter.toHttpEffect(
      Layer.mergeAll(
        HttpRouter.add("POST", "/v1/images/generations", (request) =>
          withCommonHeaders(commonHeaders, (id) => generate(request, id))
        ),
        HttpRouter.add("GET", "/v1/models", (request) => withCommonHeaders(commonHeaders, () => listModels(request))),
        HttpRouter.add(
          "GET",
          "/emulator/ledger",
          Effect.map(account, (json) => HttpServerResponse.jsonUnsafe(json))
        ),
        HttpRouter.add(
          "*",
          "*",
          withCommonHeaders(commonHeaders, () => Effect.succeed(notFound))
        )
      )
    )
    return trackReply(app, { ledger, logRequests: options.logRequests })
  })
