/**
 * Properties of every reply, however it arrives. `pnpm test` checks them on a few thousand replies, `pnpm fuzz` on a
 * million.
 */
import type { ImageGenerateResponse, ImageGenStreamEvent } from "../../src/index.ts"
import { GradientClient, type GradientError, Images, RetryPolicy } from "../../src/index.ts"
import * as DateTime from "effect/DateTime"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import { isDeepStrictEqual } from "node:util"
import * as Cases from "./Cases.ts"
import { arrivedAt, type Outcome, responseOutcome, streamOutcome } from "./Oracle.ts"
import * as Wire from "./Wire.ts"

interface Case {
  readonly bytes: Uint8Array
  readonly arrival: Cases.Arrival
  readonly contentType: string | undefined
}

/** The reply of the service. All cases run on one service, because a layer for each would take longer. */
let answer: Case

/** Every reply arrives at the same time, and nothing times out. */
const clock: Clock.Clock = {
  currentTimeMillis: Effect.succeed(arrivedAt * 1000),
  currentTimeMillisUnsafe: () => arrivedAt * 1000,
  currentTimeNanos: Effect.succeed(BigInt(arrivedAt * 1_000_000_000)),
  currentTimeNanosUnsafe: () => BigInt(arrivedAt * 1_000_000_000),
  monotonicTimeNanos: Effect.succeed(BigInt(arrivedAt * 1_000_000_000)),
  monotonicTimeNanosUnsafe: () => BigInt(arrivedAt * 1_000_000_000),
  sleep: () => Effect.never
}

const transport = HttpClient.make((request) =>
  Effect.sync(() => {
    const pieces = Cases.cut(answer.bytes, answer.arrival)
    const init = { headers: answer.contentType === undefined ? {} : { "content-type": answer.contentType } }
    if (answer.arrival.web) return HttpClientResponse.fromWeb(request, new Response(Wire.body(pieces), init))
    const response = HttpClientResponse.fromWeb(request, new Response(null, init))
    return Object.defineProperty(response, "stream", { value: Stream.rechunk(Stream.fromArray(pieces), 50) })
  })
)

const runtime = ManagedRuntime.make(
  Images.layer.pipe(
    Layer.provide(GradientClient.layer({})),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, transport)),
    Layer.merge(Layer.succeed(Clock.Clock, clock))
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

const params = { prompt: "an otter", model: "a model without rules" }

const runStream = (given: Case): Promise<Outcome> => {
  answer = given
  const pictures: Array<object> = []
  return Images.generateStream({ ...params, partialImages: 3 }).pipe(
    Stream.runForEach((event) => Effect.sync(() => pictures.push(pictureOf(event)))),
    Effect.as<Outcome>({ pictures, end: "Completed" }),
    Effect.catch(failed(pictures)),
    runtime.runPromise
  )
}

const runResponse = (given: Case): Promise<Outcome> => {
  answer = given
  return Images.generate(params).pipe(
    Effect.map((response): Outcome => ({ pictures: picturesOf(response), end: "Response" })),
    Effect.catch(failed([])),
    runtime.runPromise
  )
}

/** Every image that the caller gets, in the result or in the error. */
const runForPictures = {
  generate: (given: Case, n: number): Promise<ReadonlyArray<string>> => {
    answer = given
    return Images.generate({ ...params, n }, { retry: RetryPolicy.none }).pipe(
      Effect.map(({ data }) => data),
      Effect.catch(({ reason }) => Effect.succeed(reason.images)),
      Effect.map((images) => images.map(({ bytes }) => hex(bytes))),
      runtime.runPromise
    )
  },
  generateStream: (given: Case, n: number): Promise<ReadonlyArray<string>> => {
    answer = given
    const pictures: Array<string> = []
    const add = (images: ReadonlyArray<{ readonly bytes: Uint8Array }>) =>
      Effect.sync(() => pictures.push(...images.map(({ bytes }) => hex(bytes))))
    return Images.generateStream({ ...params, n, partialImages: 3 }, { retry: RetryPolicy.none }).pipe(
      Stream.runForEach((event) => add([event])),
      Effect.catch(({ reason }) => add(reason.images)),
      Effect.as(pictures),
      runtime.runPromise
    )
  }
}

/** The images and the end, without differences between the two functions. */
const bare = ({ end, pictures }: Outcome): Outcome => ({
  end: end === "Response" ? "Completed" : end,
  pictures: pictures
    .filter((picture) => "bytes" in picture && !("index" in picture))
    .map((picture) => ({ bytes: "bytes" in picture && picture.bytes }))
})

const agree = (ours: Outcome, theirs: Outcome, given: Case) => {
  if (isDeepStrictEqual(ours, theirs)) return
  const said = [ours, theirs].map((outcome) => JSON.stringify(outcome))
  throw new Error(`${printed(given)}\nis\n${said.join("\nand not\n")}`)
}

/** The library may fail if the peer does not; the images that it returns must be the peer's. */
const refuseOrAgree = (ours: Outcome, theirs: Outcome, given: Case) => {
  if (ours.end !== "InvalidResponseError") return agree(ours, theirs, given)
  agree(ours, { ...ours, pictures: theirs.pictures.slice(0, ours.pictures.length) }, given)
}

/** Images outside of `data`, or in a second `data`, follow the images of the peer. The last entry is not an image. */
const withoutUnnamed = ({ end, pictures }: Outcome, theirs: Outcome): Outcome => ({
  // The rest of the JSON can look like a comment at the start of an event stream.
  end: end === "IncompleteStreamError" ? "InvalidResponseError" : end,
  pictures: [...pictures.slice(0, Math.max(0, theirs.pictures.length - 1)), ...pictures.slice(-1)]
})

/** The library may skip a partial image, and then fails at the end. What it returns must be the peer's, in the same order. */
const skipOrAgree = (ours: Outcome, theirs: Outcome, given: Case) => {
  if (ours.end !== "InvalidResponseError") return agree(ours, theirs, given)
  let next = 0
  for (const picture of theirs.pictures) if (isDeepStrictEqual(picture, ours.pictures[next])) next++
  if (next < ours.pictures.length) agree(ours, theirs, given)
}

/**
 * The library skips a partial image with a broken string. The peer cannot parse that event at all, unless the string is one
 * of two members of the same name: then it takes the second one.
 */
const goOnOrAgree = (ours: Outcome, theirs: Outcome, given: Case) => {
  if (theirs.end !== "InvalidResponseError") return skipOrAgree(ours, theirs, given)
  agree({ ...theirs, pictures: ours.pictures.slice(0, theirs.pictures.length) }, theirs, given)
}

/** Whether an event gets a name after some of its data. That data may have been skipped because of its first name. */
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

const printed = ({ bytes }: Case) => JSON.stringify(Buffer.from(bytes).toString("latin1"))

/** Each property by its name. */
export const properties = {
  "an event stream means what other tools say": fc.asyncProperty(Cases.eventStreams, async (given) =>
    agree(await runStream(given), streamOutcome(given.bytes), given)
  ),
  "an event stream means the same to generate": fc.asyncProperty(Cases.eventStreams, async (given) => {
    const theirs = streamOutcome(given.bytes)
    // `generate` returns nothing before the end, and fails for an empty reply.
    if (theirs.pictures.length > 0) agree(bare(await runResponse(given)), bare(theirs), given)
  }),
  "a JSON reply means what other tools say": fc.asyncProperty(Cases.responses, async (given) =>
    agree(await runResponse(given), responseOutcome(given.bytes), given)
  ),
  "a JSON reply means the same to generateStream": fc.asyncProperty(Cases.responses, async (given) =>
    agree(bare(await runStream(given)), bare(responseOutcome(given.bytes)), given)
  ),
  "no reply that holds a whole picture ends without it": fc.asyncProperty(Cases.paidReplies, async (given) => {
    for (const run of Object.values(runForPictures)) {
      const pictures = await run(given, 10)
      const lost = given.pictures.filter((picture) => !pictures.includes(picture))
      if (lost.length > 0) throw new Error(`${printed(given)}\nloses ${lost.join(", ")}`)
    }
  }),
  "a damaged event stream ends in events or a GradientError": fc.asyncProperty(
    Cases.damaged(Cases.eventStreams).filter((given) => !isRenamed(given)),
    async (given) => goOnOrAgree(await runStream(given), streamOutcome(given.bytes), given)
  ),
  "a damaged JSON reply ends in a response or a GradientError": fc.asyncProperty(
    Cases.damaged(Cases.responses),
    async (given) => {
      const theirs = responseOutcome(given.bytes)
      refuseOrAgree(withoutUnnamed(await runResponse(given), theirs), theirs, given)
    }
  )
}
