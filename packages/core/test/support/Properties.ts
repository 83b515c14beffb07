/**
 * What holds for every reply, whatever it is and however it arrives. `pnpm test` tries a few thousand, `pnpm fuzz` a
 * million.
 */
import type { ImageGenerateResponse, ImageGenStreamEvent } from "../../src/index.ts"
import { GradientClient, type GradientError, Images } from "../../src/index.ts"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import { isDeepStrictEqual } from "node:util"
import * as Cases from "./Cases.ts"
import { type Outcome, responseOutcome, streamOutcome } from "./Oracle.ts"
import * as Wire from "./Wire.ts"

interface Case {
  readonly bytes: Uint8Array
  readonly arrival: Cases.Arrival
}

/** What the service answers. The cases run one after another, on one service: a layer for each would take longer. */
let answer: Case & { readonly contentType: string }

const transport = HttpClient.make((request) =>
  Effect.sync(() => {
    const pieces = Cases.cut(answer.bytes, answer.arrival)
    const init = { headers: { "content-type": answer.contentType } }
    if (answer.arrival.web) return HttpClientResponse.fromWeb(request, new Response(Wire.body(pieces), init))
    const response = HttpClientResponse.fromWeb(request, new Response(null, init))
    return Object.defineProperty(response, "stream", { value: Stream.rechunk(Stream.fromArray(pieces), 50) })
  })
)

const runtime = ManagedRuntime.make(
  Images.layer.pipe(
    Layer.provide(GradientClient.layer({})),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, transport))
  )
)

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

const seconds = (time: DateTime.Utc | undefined) =>
  time === undefined ? undefined : DateTime.toEpochMillis(time) / 1000

const pictureOf = (event: ImageGenStreamEvent.ImageGenStreamEvent): object => {
  const { background, quality, size } = event
  const common = {
    bytes: hex(event.bytes),
    format: event.outputFormat,
    at: seconds(event.createdAt),
    background,
    quality,
    size
  }
  return event._tag === "Completed"
    ? { tag: "Completed", ...common, prompt: event.revisedPrompt, tokens: event.usage?.totalTokens }
    : { tag: "PartialImage", ...common, index: event.partialImageIndex }
}

const picturesOf = (response: ImageGenerateResponse.ImageGenerateResponse): ReadonlyArray<object> => {
  const { background, quality, size } = response
  const images = response.data.map((image) => ({
    bytes: hex(image.bytes),
    format: image.outputFormat,
    prompt: image.revisedPrompt
  }))
  return [...images, { at: seconds(response.created), background, quality, size, tokens: response.usage?.totalTokens }]
}

const failed = (pictures: ReadonlyArray<object>) => (error: GradientError.GradientError) =>
  Effect.succeed<Outcome>({ pictures, end: error.reason._tag })

const runStream = (given: Case): Promise<Outcome> => {
  answer = { ...given, contentType: "text/event-stream" }
  const pictures: Array<object> = []
  return Images.generateStream({ prompt: "an otter" }).pipe(
    Stream.runForEach((event) => Effect.sync(() => pictures.push(pictureOf(event)))),
    Effect.as<Outcome>({ pictures, end: "Completed" }),
    Effect.catch(failed(pictures)),
    runtime.runPromise
  )
}

const runResponse = (given: Case): Promise<Outcome> => {
  answer = { ...given, contentType: "application/json" }
  return Images.generate({ prompt: "an otter" }).pipe(
    Effect.map((response): Outcome => ({ pictures: picturesOf(response), end: "Response" })),
    Effect.catch(failed([])),
    runtime.runPromise
  )
}

const agree = (ours: Outcome, theirs: Outcome, { bytes }: Case) => {
  if (isDeepStrictEqual(ours, theirs)) return
  const said = [ours, theirs].map((outcome) => JSON.stringify(outcome))
  throw new Error(`${JSON.stringify(Buffer.from(bytes).toString("latin1"))}\nis\n${said.join("\nand not\n")}`)
}

/** Refused where the peer is more lenient; but what was given is what the peer gives. */
const refuseOrAgree = (ours: Outcome, theirs: Outcome, given: Case) => {
  if (ours.end !== "InvalidResponseError") return agree(ours, theirs, given)
  agree(ours, { ...ours, pictures: theirs.pictures.slice(0, ours.pictures.length) }, given)
}

/** Whether an event gets a name after some of its data, which then may have been passed over by its first name. */
const isRenamed = ({ bytes }: Case): boolean => {
  let hasData = false
  return new TextDecoder()
    .decode(bytes)
    .split(/\r\n|\r|\n/)
    .some((line) => {
      hasData = line !== "" && (hasData || line.startsWith("data"))
      return hasData && line.startsWith("event")
    })
}

/** Each property by its name. */
export const properties = {
  "an event stream means what other tools say": fc.asyncProperty(Cases.eventStreams, async (given) =>
    agree(await runStream(given), streamOutcome(given.bytes), given)
  ),
  "a JSON reply means what other tools say": fc.asyncProperty(Cases.responses, async (given) =>
    agree(await runResponse(given), responseOutcome(given.bytes), given)
  ),
  "a damaged event stream ends in events or a GradientError": fc.asyncProperty(
    Cases.damaged(Cases.eventStreams).filter((given) => !isRenamed(given)),
    async (given) => refuseOrAgree(await runStream(given), streamOutcome(given.bytes), given)
  ),
  "a damaged JSON reply ends in a response or a GradientError": fc.asyncProperty(
    Cases.damaged(Cases.responses),
    async (given) => refuseOrAgree(await runResponse(given), responseOutcome(given.bytes), given)
  )
}
