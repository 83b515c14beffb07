/**
 * Real exchanges, recorded once and replayed: tests that see what the service really sends, without a key, a network or a
 * bill.
 *
 * A cassette is a JSON file that a person can read, with its images beside it as image files: `otter.json`, `otter-0.png`.
 * Put both under version control. Keys never reach them: secret headers are redacted, by their names; what they held, and
 * what looks like a key of the service, is redacted wherever it stands. How long things took and the
 * comments of a stream are not kept. Give each test its own cassette.
 *
 * A recorded answer is given once, to a request of the same method, path and body, whatever the host and the headers. A
 * request that the cassette does not know, or has answered already, is a defect: nothing is sent, no retry or fallback of
 * the application hides it, and it tells what the nearest recorded request has otherwise.
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
import { type Difference, differences, nearest } from "./internal/difference.ts"
import * as Exchange from "./internal/Exchange.ts"
import * as Tape from "./internal/Tape.ts"

export type { Difference } from "./internal/difference.ts"

/**
 * A cassette that cannot be read: it is not there, or is not one, or an image of it is missing.
 *
 * @category errors
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
 * The defect of a replay that met a request it has no answer for.
 *
 * @category errors
 */
export class UnknownRequestError extends Data.TaggedError("UnknownRequestError")<{
  readonly path: string
  readonly request: RecordedRequest.RecordedRequest
  /** The recorded request that differs least; `undefined` where the cassette is empty. */
  readonly nearest: RecordedRequest.RecordedRequest | undefined
  /** In what; empty where the request is known, and was answered as often as it was recorded. */
  readonly differences: ReadonlyArray<Difference>
}> {
  override get message(): string {
    const { method, url } = this.request
    const heading = `The cassette ${this.path} has no answer for ${method} ${url}.`
    return [heading, ...this.comparison, `Nothing was sent. To record anew, use Cassette.layerRecord.`].join("\n")
  }

  private get comparison(): ReadonlyArray<string> {
    if (this.nearest === undefined) return ["It is empty."]
    if (this.differences.length === 0) return ["It has answered this request as often as it was recorded."]
    return [
      `The nearest request that it has, ${this.nearest.method} ${this.nearest.url}, differs in:`,
      ...this.differences.map(({ asked, field, recorded }) => `  ${field}: ${show(asked)}, recorded: ${show(recorded)}`)
    ]
  }
}

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing"
  return text.length <= 100 ? text : `${text.slice(0, 100)}... (${text.length} characters)`
}

const platform = Layer.merge(NodeFileSystem.layer, NodePath.layer)

/** Answers each request with the first recorded answer to it that was not given yet. */
const scriptOf = (path: string, { exchanges, images }: Tape.Tape): TestTransport.Script => {
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
 * Replays a cassette, and sends nothing. The connection of an answer that broke breaks at the same place.
 *
 * @category layers
 */
export const layerReplay = (path: string): Layer.Layer<HttpClient.HttpClient, CassetteError> =>
  Tape.read(path).pipe(
    Effect.mapError((cause) => new CassetteError({ path, cause })),
    Effect.map((tape) => TestTransport.layer(scriptOf(path, tape))),
    Layer.unwrap,
    Layer.provide(platform)
  )

/** The response, which `keep` is called with once its body was read, as far as anyone wanted, or broke. */
const witnessed = (
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
    // A caller who failed for another reason, such as its patience, leaves half an exchange, which is no use to replay.
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
  const before = yield* Effect.orElseSucceed(Tape.read(path), () => Tape.empty)
  let tape = Tape.empty

  const keep = (received: Omit<Exchange.Received, "keepImage">) =>
    Effect.gen(function* () {
      const images = new Map(tape.images)
      const keepImage = (bytes: Uint8Array) => {
        const { extension } = new GeneratedImage.ImageBytes({ bytes })
        const name = `${basename(path, extname(path))}-${images.size}.${extension}`
        images.set(name, bytes)
        return name
      }
      const exchange = Exchange.fromReceived({ ...received, keepImage })
      const next = { exchanges: [...tape.exchanges, exchange], images }
      yield* Tape.write(path, next, tape)
      tape = next
    }).pipe(Effect.provide(context), Effect.orDie, (save) => turn.withPermit(save))

  yield* Effect.addFinalizer(() => {
    const unused = Array.from(before.images.keys()).filter((name) => !tape.images.has(name))
    return tape.exchanges.length === 0 ? Effect.void : Effect.orDie(Tape.removeImages(path, unused))
  })

  return HttpClient.transform(transport, (effect, request) =>
    Effect.gen(function* () {
      const recorded = yield* RecordedRequest.fromClientRequest(request)
      const redact = RecordedRequest.redactText(request.headers)
      const response = yield* effect
      const { headers, status } = response
      return witnessed(response, request, (text, isBroken) =>
        keep({ request: recorded, status, headers, text, isBroken, redact })
      )
    })
  )
})

/**
 * Sends requests with the HttpClient that is provided, and records what comes back, in place of a cassette that is there.
 * An exchange is written when its body has been read, or when the connection breaks within it; one without any answer is
 * not. A file that cannot be written is a defect.
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
 */
export const layerRecord = (path: string): Layer.Layer<HttpClient.HttpClient, never, HttpClient.HttpClient> =>
  Layer.effect(HttpClient.HttpClient, makeRecorder(path)).pipe(Layer.provide(platform))

/**
 * Replays the cassette if its file is there, and records it otherwise. What is there is never added to: delete the file to
 * record anew.
 *
 * @category layers
 */
export const layerAuto = (path: string): Layer.Layer<HttpClient.HttpClient, CassetteError, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const isThere = yield* fs.exists(path).pipe(Effect.mapError((cause) => new CassetteError({ path, cause })))
    return isThere ? layerReplay(path) : layerRecord(path)
  }).pipe(Layer.unwrap, Layer.provide(platform))
