/**
 * Sends the same params several times, each time in a request of its own, for models that generate only one image in
 * each request. If a request fails, the images of the other requests are not lost.
 *
 * This module is not part of the index, so that a program that does not use it does not load it.
 *
 * @example
 * ```ts
 * import * as ImagesEach from "@effect-gradient/core/ImagesEach"
 * import { Effect, Stream } from "effect"
 *
 * const program = ImagesEach.generate({ prompt: "A sea otter" }, { count: 4 }).pipe(
 *   Stream.runForEach(
 *     ImagesEach.Each.$match({
 *       Done: ({ index, response }) => Effect.log(`${index}: ${response.data.length} images`),
 *       Failed: ({ error, index }) => Effect.logError(`${index}: ${error.message}`),
 *       Ended: ({ done, perhapsCharged, refused }) => Effect.log({ done, refused, perhapsCharged })
 *     })
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as GradientError from "./GradientError.ts"
import type { ImageGenerateParamsNonStreaming } from "./ImageGenerateParams.ts"
import type { ImageGenerateResponse } from "./ImageGenerateResponse.ts"
import * as Images from "./Images.ts"
import { positiveInteger } from "./internal/request/checks.ts"
import { issuesOf } from "./internal/request/checked.ts"
import { invalidParams } from "./internal/request/invalidParams.ts"

/**
 * How many requests to send, and how many of them at most at the same time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How many requests are sent, not counting retries. At least 1. */
  readonly count: number
  /** The most requests that are under way at the same time. Default: 4. */
  readonly concurrency?: number | undefined
}

/**
 * What the stream emits. `index` is the number of the request, from 0.
 *
 * - `Done`: the response to one request.
 * - `Failed`: the failure of one request. `error.mayHaveBeenCharged` shows whether it may have been charged for.
 * - `Ended`, the last element: how many requests succeeded (`done`), failed and were not charged for (`refused`), or
 *   failed and may have been charged for (`perhapsCharged`), and how many images all responses have together
 *   (`images`).
 *
 * @category models
 * @since 0.1.0
 */
export type Each = Data.TaggedEnum<{
  Done: { readonly index: number; readonly response: ImageGenerateResponse }
  Failed: { readonly index: number; readonly error: GradientError.GradientError }
  Ended: {
    readonly done: number
    readonly refused: number
    readonly perhapsCharged: number
    readonly images: number
  }
}>

/**
 * @category models
 * @since 0.1.0
 */
export const Each = Data.taggedEnum<Each>()

type Tally = { -readonly [Name in "done" | "refused" | "perhapsCharged" | "images"]: number }

const add = (tally: Tally, result: Result.Result<ImageGenerateResponse, GradientError.GradientError>): void => {
  if (Result.isSuccess(result)) {
    tally.done++
    tally.images += result.success.data.length
  } else if (result.failure.mayHaveBeenCharged) {
    tally.perhapsCharged++
  } else {
    tally.refused++
  }
}

const checked = ({ concurrency, count }: Options) => {
  const parts = {
    count: positiveInteger("count", count),
    concurrency: positiveInteger("concurrency", concurrency)
  }
  const all = Result.all(parts)
  return Result.isSuccess(all)
    ? Effect.succeed({ count, concurrency: concurrency ?? 4 })
    : GradientError.fromReason(invalidParams(issuesOf(parts)))
}

/**
 * Emits the result of each request as it arrives, in any order, and at last `Ended`. A request that fails does not fail
 * the stream. The stream fails only with `InvalidParamsError`, if an option cannot be used; then nothing was sent.
 *
 * @category generating
 * @since 0.1.0
 */
export const generate = (
  params: ImageGenerateParamsNonStreaming,
  options: Options
): Stream.Stream<Each, GradientError.GradientError, Images.Images> =>
  Stream.unwrap(
    Effect.map(checked(options), ({ concurrency, count }) => {
      const tally: Tally = { done: 0, refused: 0, perhapsCharged: 0, images: 0 }
      const one = (index: number) =>
        Effect.map(Effect.result(Images.generate(params)), (result) => {
          add(tally, result)
          return Result.isSuccess(result)
            ? Each.Done({ index, response: result.success })
            : Each.Failed({ index, error: result.failure })
        })
      const all = Stream.range(0, count - 1).pipe(Stream.mapEffect(one, { concurrency, unordered: true }))
      return Stream.concat(
        all,
        Stream.sync(() => Each.Ended(tally))
      )
    })
  )
