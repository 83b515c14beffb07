/**
 * Properties that hold for random replies, however their bytes arrive. Each property is about one kind of reply, such
 * as damaged event streams. `pnpm test` checks them on a few thousand random replies, `pnpm fuzz` by default on a
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

/**
 * The reply to the next request. It is a variable, because all cases share one layer: to build one for each would take
 * longer.
 */
let answer: Case

/** A Clock that stands still. Every reply arrives at the same time, and no timeout expires. */
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

/**
 * Has one function for each function of `Images`. It makes one call, and returns the bytes of every image that the
 * caller gets, in the result or in the error.
 */
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

/**
 * The outcome without what differs between `generate` and `generateStream`: only the bytes of the complete images and
 * the end remain.
 */
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

/**
 * Checks that the library agrees with the other tools. The library may also fail with `InvalidResponseError` instead,
 * if the images that it returned before are theirs too.
 */
const refuseOrAgree = (ours: Outcome, theirs: Outcome, given: Case) => {
  if (ours.end !== "InvalidResponseError") return agree(ours, theirs, given)
  agree(ours, { ...ours, pictures: theirs.pictures.slice(0, ours.pictures.length) }, given)
}

/**
 * Removes the images that the library finds outside of `data` or in a second `data`. They come after the images that
 * the other tools find. The last entry is not an image, and is kept.
 */
const withoutUnnamed = ({ end, pictures }: Outcome, theirs: Outcome): Outcome => ({
  // A damaged JSON reply can start like an event stream. Then it is an event stream without events.
  end: end === "IncompleteStreamError" ? "InvalidResponseError" : end,
  pictures: [...pictures.slice(0, Math.max(0, theirs.pictures.length - 1)), ...pictures.slice(-1)]
})

/**
 * Checks that the library agrees with the other tools. The library may also skip partial images and then fail with
 * `InvalidResponseError`, if all images that it returned are theirs too, in their order.
 */
const skipOrAgree = (ours: Outcome, theirs: Outcome, given: Case) => {
  if (ours.end !== "InvalidResponseError") return agree(ours, theirs, given)
  let next = 0
  for (const picture of theirs.pictures) if (isDeepStrictEqual(picture, ours.pictures[next])) next++
  if (next < ours.pictures.length) agree(ours, theirs, given)
}

/**
 * Like `skipOrAgree`, but the other tools may also stop at a partial image with a broken string, because they cannot
 * parse its event. The library skips that event. It must have returned the images that the other tools found before. If
 * a second member of the same name follows the broken one, the other tools use the second.
 */
const goOnOrAgree = (ours: Outcome, theirs: Outcome, given: Case) => {
  if (theirs.end !== "InvalidResponseError") return skipOrAgree(ours, theirs, given)
  agree({ ...theirs, pictures: ours.pictures.slice(0, theirs.pictures.length) }, theirs, given)
}

/**
 * Whether an event has a line `event:` after a line `data:`. The library may have skipped that data because of the
 * event's first name.
 */
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

export const properties = {
  "an event stream means what other tools say": fc.asyncProperty(Cases.eventStreams, async (given) =>
    agree(await runStream(given), streamOutcome(given.bytes), given)
  ),
  "an event stream means the same to generate": fc.asyncProperty(Cases.eventStreams, async (given) => {
    const theirs = streamOutcome(given.bytes)
    // A reply without images is not compared, because `generate` can fail for it with another reason.
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
