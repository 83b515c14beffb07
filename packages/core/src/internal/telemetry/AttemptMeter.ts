/** Measures an attempt while it runs, and computes the result of the attempt in numbers. */
import * as Result from "effect/Result"
import type { ImageGenStreamEvent } from "../../ImageGenStreamEvent.ts"
import type { Usage } from "../../ImageGenerateResponse.ts"
import type { Attempt, Outcome } from "../attempt/attemptModels.ts"
import { carriedPartials } from "../reply/readEvents.ts"
import { imagePrice, priceOf, type Prices, tokensCost } from "../prices.ts"

/** The result of an attempt, as telemetry reports it. */
export interface AttemptResult {
  readonly outcome: Outcome["_tag"]
  /**
   * The tag of the reason of a failure, or `Left`. Undefined if the attempt completed, or if the caller was interrupted
   * before anything was sent.
   */
  readonly errorType: string | undefined
  /** Whether the attempt was charged for. `in_doubt` means that it may have been charged for. */
  readonly charged: "yes" | "no" | "in_doubt"
  /** The time from sending the request to the outcome, in seconds. Undefined if nothing was sent. */
  readonly seconds: number | undefined
  /**
   * How many complete images are known to have arrived, and their bytes. Undefined if the attempt completed without
   * decoding them.
   */
  readonly images: number | undefined
  readonly bytes: number | undefined
  readonly partialImages: number
  readonly usage: Usage | undefined
  readonly requestId: string | undefined
  /**
   * The cost of the attempt by the prices that the caller set. If `charged` is `in_doubt`, the highest possible cost.
   */
  readonly cost: number | undefined
}

const chargedFor = (outcome: Outcome): AttemptResult["charged"] => {
  if (outcome._tag === "Completed") return "yes"
  if (outcome._tag === "NotSent") return "no"
  return outcome._tag === "Left" || outcome.reason.mayHaveBeenCharged ? "in_doubt" : "no"
}

const errorTypeOf = (outcome: Outcome): string | undefined => {
  if (outcome._tag === "Completed") return undefined
  return outcome._tag === "Left" ? "Left" : outcome.reason?._tag
}

/**
 * Measures one attempt. It counts the images of a stream as they arrive, so the images need not be kept until the
 * outcome.
 */
export class AttemptMeter {
  #sentAt: number | undefined
  #images = 0
  #bytes = 0
  #partialImages = 0
  #requestId: string | undefined
  readonly #attempt: Attempt

  constructor(attempt: Attempt) {
    this.#attempt = attempt
  }

  /** Must be called when the request is sent. `now` is in milliseconds. */
  sent(now: number): void {
    this.#sentAt = now
  }

  /** The seconds from sending the request to `now`. Undefined if nothing was sent. */
  secondsAt(now: number): number | undefined {
    return this.#sentAt === undefined ? undefined : (now - this.#sentAt) / 1000
  }

  /** Whether exactly one event was counted so far. */
  get isFirst(): boolean {
    return this.#images + this.#partialImages === 1
  }

  add(event: ImageGenStreamEvent): void {
    if (event._tag === "PartialImage") {
      this.#partialImages++
      return
    }
    this.#images++
    this.#bytes += event.bytes.length
    this.#requestId = event.requestId
  }

  /** The result of the attempt. `now` is in milliseconds. */
  resultOf(outcome: Outcome, now: number, prices: Prices | undefined): AttemptResult {
    const usage = outcome._tag === "Completed" ? outcome.usage : undefined
    const isStream = this.#attempt.kind === "stream"
    const own = isStream || outcome._tag === "NotSent" ? [] : outcome.images
    const images = own.filter((image) => !carriedPartials.has(image))
    const charged = chargedFor(outcome)
    const count = this.#images + images.length
    const isDecoded = count > 0 || outcome._tag !== "Completed"
    return {
      outcome: outcome._tag,
      errorType: errorTypeOf(outcome),
      charged,
      seconds: outcome._tag === "NotSent" ? undefined : this.secondsAt(now),
      images: isDecoded ? count : undefined,
      bytes: isDecoded ? images.reduce((sum, { bytes }) => sum + bytes.length, this.#bytes) : undefined,
      partialImages: this.#partialImages,
      usage,
      requestId: outcome._tag === "Completed" ? (outcome.response?.requestId ?? this.#requestId) : this.#requestId,
      cost: this.#costOf(charged, charged === "yes" && count > 0 ? count : this.#attempt.params.n, usage, prices)
    }
  }

  /**
   * The cost of the attempt. Undefined if the model has no price, if nothing was charged, or if the price per image is
   * invalid and the cost by tokens is unknown.
   */
  #costOf(
    charged: AttemptResult["charged"],
    images: number,
    usage: Usage | undefined,
    prices: Prices | undefined
  ): number | undefined {
    const price = priceOf(prices, this.#attempt)
    if (price === undefined || charged === "no") return undefined
    const perImage = imagePrice("prices", price, this.#attempt)
    return tokensCost(price, usage) ?? (Result.isSuccess(perImage) ? images * perImage.success : undefined)
  }
}
