/**
 * Records the replies of the service in files and replays them, so that tests see real replies without a key, a network
 * or costs.
 *
 * A cassette is a readable JSON file with its images beside it: `otter.json`, `otter-0.png`. Put both under version
 * control. These files do not contain keys: secret headers are redacted, and so are their values of at least 8
 * characters and any keys of the service elsewhere in a request or reply. The comments of a stream and the time between
 * its events are not recorded. Use one cassette for each test.
 *
 * Each recorded reply is replayed once, to a request with the same method, path and body. The host and the headers may
 * differ. A request without a recorded reply is a defect and not a failure, so that no retry or fallback of the
 * application hides it. The defect's message lists how the request differs from the nearest recorded one, or says that
 * all replies to the request were already replayed, or that the cassette is empty. Nothing is sent while a cassette is
 * replayed.
 *
 * @example
 * ```ts
 * import { GradientClient, Images } from "@effect-gradient/core"
 * import { Cassette } from "@effect-gradient/node/testing"
 * import { Effect, Layer } from "effect"
 *
 * const images = Images.layer.pipe(
 *   Layer.provide(GradientClient.layer({})),
 *   Layer.provide(Cassette.layerReplay("test/cassettes/otter.json"))
 * )
 *
 * const test = Images.generate({ prompt: "A sea otter" }).pipe(Effect.provide(images))
 * ```
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { GeneratedImage } from "@effect-gradient/core"
import { RecordedRequest, TestTransport } from "@effect-gradient/core/testing"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as CassetteFile from "./internal/CassetteFile.ts"
import { type Difference, differences, nearest } from "./internal/difference.ts"
import * as Exchange from "./internal/Exchange.ts"

export type { Difference } from "./internal/difference.ts"

/**
 * The cassette cannot be read, for example because its file is missing or invalid, or one of its images is missing.
 *
 * @category errors
 * @since 0.1.0
 */
export class CassetteError extends Data.TaggedError("CassetteError")<{
  readonly path: string
  readonly cause: Error
}> {
  override get message(): string {
    return `The cassette ${this.path} cannot be replayed: ${this.cause.message}. Record it with Cassette.layerRecord.`
  }
}

/**
 * The defect of a request for which the cassette has no reply left.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnknownRequestError extends Data.TaggedError("UnknownRequestError")<{
  readonly path: string
  readonly request: RecordedRequest.RecordedRequest
  /** The recorded request that differs least from this one. `undefined` if the cassette is empty. */
  readonly nearest: RecordedRequest.RecordedRequest | undefined
  /**
   * The fields in which this request differs from `nearest`. Empty if the cassette is empty, or if the request is
   * recorded, but all its replies were already replayed.
   */
  readonly differences: ReadonlyArray<Difference>
}> {
  override get message(): string {
    const { method, url } = this.request
    const heading = `The cassette ${this.path} has no reply left for this request: ${method} ${url}.`
    return [
      heading,
      ...this.comparison,
      `Nothing was sent. To record the cassette again, use Cassette.layerRecord.`
    ].join("\n")
  }

  private get comparison(): ReadonlyArray<string> {
    if (this.nearest === undefined) return ["The cassette is empty."]
    if (this.differences.length === 0) return ["All recorded replies to this request were already replayed."]
    return [
      `This request differs from the nearest recorded one, ${this.nearest.method} ${this.nearest.url}, in:`,
      ...this.differences.map(({ asked, field, recorded }) => `  ${field}: ${show(asked)}, recorded: ${show(recorded)}`)
    ]
  }
}

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing"
  return text.length <= 100 ? text : `${text.slice(0, 100)}... (${text.length} characters)`
}

const platform = Layer.merge(NodeFileSystem.layer, NodePath.layer)

/** Replies to each request with the first of its recorded replies that was not replayed yet. */
const scriptOf = (path: string, { exchanges, images }: CassetteFile.CassetteContent): TestTransport.Script => {
  const left = [...exchanges]
  return (request) => {
    const index = left.findIndex((known) => differences(request, known.request).length === 0)
    const [found] = index === -1 ? [] : left.splice(index, 1)
    if (found !== undefined) return Exchange.toStep(found, images)
    const near = nearest(request, exchanges)
    return Effect.die(
      new UnknownRequestError({
        path,
        request,
        nearest: near?.exchange.request,
        differences: near?.differences ?? []
      })
    )
  }
}

/**
 * Replays a cassette and sends nothing. If the connection broke while a reply was recorded, the replayed reply breaks
 * at the same place, or, in a stream, after the last complete event.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerReplay = (path: string): Layer.Layer<HttpClient.HttpClient, CassetteError> =>
  CassetteFile.read(path).pipe(
    Effect.mapError((cause) => new CassetteError({ path, cause })),
    Effect.map((content) => TestTransport.layer(scriptOf(path, content))),
    Layer.unwrap,
    Layer.provide(platform)
  )

/**
 * Returns a response that calls `keep` with its text when the consumer has read it to the end, or when the connection
 * breaks.
 */
const recordedResponse = (
  response: HttpClientResponse.HttpClientResponse,
  request: HttpClientRequest.HttpClientRequest,
  keep: (text: string, isBroken: boolean) => Effect.Effect<void>
): HttpClientResponse.HttpClientResponse => {
  const chunks: Array<Uint8Array> = []
  let isBroken = false
  const body = response.stream.pipe(
    Stream.tap((chunk) => Effect.sync(() => chunks.push(chunk))),
    Stream.tapError(() =>
      Effect.sync(() => {
        isBroken = true
      })
    ),
    // If reading ends for another reason, such as a timeout of the caller, the exchange is incomplete and is not
    // recorded.
    Stream.onExit((exit) =>
      Exit.isSuccess(exit) || isBroken ? keep(Buffer.concat(chunks).toString(), isBroken) : Effect.void
    ),
    Stream.mapError(({ cause }) => cause)
  )
  const { headers, status } = response
  return HttpServerResponse.toClientResponse(HttpServerResponse.stream(body, { status, headers }), { request })
}

const makeRecorder = Effect.fnUntraced(function* (path: string) {
  const transport = yield* HttpClient.HttpClient
  const context = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  const { basename, extname } = yield* Path.Path
  const turn = yield* Semaphore.make(1)
  const before = yield* Effect.orElseSucceed(CassetteFile.read(path), () => CassetteFile.empty)
  let content = CassetteFile.empty

  const keep = (received: Omit<Exchange.Received, "keepImage">) =>
    Effect.gen(function* () {
      const images = new Map(content.images)
      const keepImage = (bytes: Uint8Array) => {
        const { extension } = new GeneratedImage.ImageBytes({ bytes })
        const name = `${basename(path, extname(path))}-${images.size}.${extension}`
        images.set(name, bytes)
        return name
      }
      const exchange = Exchange.fromReceived({ ...received, keepImage })
      const next = { exchanges: [...content.exchanges, exchange], images }
      yield* CassetteFile.write(path, next, content)
      content = next
    }).pipe(Effect.provide(context), Effect.orDie, (save) => turn.withPermit(save))

  yield* Effect.addFinalizer(() => {
    const unused = Array.from(before.images.keys()).filter((name) => !content.images.has(name))
    return content.exchanges.length === 0 ? Effect.void : Effect.orDie(CassetteFile.removeImages(path, unused))
  })

  return HttpClient.transform(transport, (effect, request) =>
    Effect.gen(function* () {
      const recorded = yield* RecordedRequest.fromClientRequest(request)
      const redact = RecordedRequest.redactText(request.headers)
      const response = yield* effect
      const { headers, status } = response
      return recordedResponse(response, request, (text, isBroken) =>
        keep({ request: recorded, status, headers, text, isBroken, redact })
      )
    })
  )
})

/**
 * Sends requests with the HttpClient in context and records the replies. An existing cassette is replaced when the
 * first reply is written. A reply is written when its body has been read, or when the connection breaks within the
 * body. A request that gets no response is not recorded. If a file cannot be written, that is a defect.
 *
 * @example
 * ```ts
 * import { NodeImages } from "@effect-gradient/node"
 * import { Cassette } from "@effect-gradient/node/testing"
 * import { Layer } from "effect"
 *
 * const http = Cassette.layerRecord("test/cassettes/otter.json").pipe(Layer.provide(NodeImages.layerHttpClient()))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRecord = (path: string): Layer.Layer<HttpClient.HttpClient, never, HttpClient.HttpClient> =>
  Layer.effect(HttpClient.HttpClient, makeRecorder(path)).pipe(Layer.provide(platform))

/**
 * Replays the cassette if its file exists, and records it otherwise. An existing cassette is never extended: to record
 * it again, delete its file.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerAuto = (path: string): Layer.Layer<HttpClient.HttpClient, CassetteError, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const exists = yield* fs.exists(path).pipe(Effect.mapError((cause) => new CassetteError({ path, cause })))
    return exists ? layerReplay(path) : layerRecord(path)
  }).pipe(Layer.unwrap, Layer.provide(platform))
