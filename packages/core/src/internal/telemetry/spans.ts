/**
 * The attributes that telemetry adds to spans: those of OpenTelemetry's conventions for generative AI, and our own with the prefix
 * `gradient.image.`. Nothing here has the prompt or the key, unless content is captured.
 */
import * as Telemetry from "effect/ai/Telemetry"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Tracer from "effect/Tracer"
import * as GradientError from "../../GradientError.ts"
import type { PartialImage } from "../../ImageGenStreamEvent.ts"
import type { Attempt } from "../attempt/attemptModels.ts"
import { property } from "../property.ts"
import type { AttemptResult } from "./AttemptMeter.ts"

/** The conventions have no operation for images. This one is for output other than a chat. */
export const operation = "generate_content"
export const provider = "digitalocean"

const callNames = new Set(["Images.generate", "Images.generateStream"])

const isCallSpan = (span: Tracer.AnySpan): span is Tracer.Span => span._tag === "Span" && callNames.has(span.name)

/** The span of the attempt that runs, and the span of its call, if the call goes through `Images`. */
export const currentSpans: Effect.Effect<ReadonlyArray<Tracer.Span>> = Effect.map(
  Effect.option(Effect.currentSpan),
  Option.match({
    onNone: () => [],
    onSome: (span) => [span, ...Option.toArray(Option.filter(span.parent, isCallSpan))]
  })
)

const setAll = (span: Tracer.Span, attributes: Readonly<Record<string, unknown>>): void => {
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) span.attribute(name, value)
}

/** Adds the attributes that are known before the request is sent. */
export const describeRequest = (span: Tracer.Span, { params, server }: Attempt, capturesContent: boolean): void => {
  const { model, n, outputFormat, partialImages, prompt, quality, size } = params
  Telemetry.addGenAIAnnotations(span, {
    operation: { name: operation },
    provider: { name: provider },
    output: { type: "image" },
    request: { model }
  })
  setAll(span, {
    "gen_ai.request.choice.count": n,
    "server.address": server?.address,
    "server.port": server?.port,
    "gradient.image.size": size,
    "gradient.image.quality": quality,
    "gradient.image.format": outputFormat,
    "gradient.image.partial_images.requested": partialImages
  })
  if (!capturesContent) return
  const messages = [{ role: "user", parts: [{ type: "text", content: prompt }] }]
  span.attribute("gen_ai.input.messages", JSON.stringify(messages))
}

/** An attempt of the call that may have been charged for stays visible after a later one. */
const chargedOf = (span: Tracer.Span, { charged }: AttemptResult) =>
  charged === "no" && span.attributes.get("gradient.image.charged") === "in_doubt" ? "in_doubt" : charged

/** Adds the attributes of the result. The replies of the service do not name the model that was used. */
export const describeResult = (span: Tracer.Span, result: AttemptResult): void => {
  const { bytes, images, partialImages, requestId, usage } = result
  Telemetry.addGenAIAnnotations(span, {
    usage: { inputTokens: usage?.inputTokens, outputTokens: usage?.outputTokens },
    response: { id: requestId }
  })
  setAll(span, {
    "gradient.image.count": images,
    "gradient.image.bytes": bytes,
    "gradient.image.partial_images": partialImages,
    "gradient.image.charged": chargedOf(span, result)
  })
}

/** An event for a partial image. `seconds` is the time since the request was sent. */
export const addPartialImage = (
  span: Tracer.Span,
  now: bigint,
  { bytes, partialImageIndex }: PartialImage,
  seconds: number
): void =>
  span.event("gradient.image.partial_image", now, {
    "gradient.image.index": partialImageIndex,
    "gradient.image.bytes": bytes.length,
    "gradient.image.elapsed": seconds
  })

const isReason = Schema.is(GradientError.GradientErrorReason)

const reasonOf = (error: unknown): GradientError.GradientErrorReason | undefined =>
  GradientError.isGradientError(error) ? error.reason : isReason(error) ? error : undefined

/**
 * A failure without words of the service or of the transport, which can repeat the prompt. Of an error that is not ours, such
 * as that of the HTTP client, only the name remains.
 */
class FailureWithoutWords extends Error {
  constructor(error: unknown) {
    const reason = reasonOf(error)
    const names = [reason, property(error, "reason"), error].map((holder) => property(holder, "_tag"))
    const name = names.find(Predicate.isString) ?? "Error"
    const status = reason?.status === undefined ? "" : ` (${reason.status})`
    super(reason === undefined ? name : `${reason.summary}${status}`)
    this.name = name
    this.stack = `${name}: ${this.message}`
  }
}

const withoutWords = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> =>
  Exit.isSuccess(exit) ? exit : Exit.failCause(Cause.map(exit.cause, (error) => new FailureWithoutWords(error)))

/** Effect adds each log line to the current span as an event. That of a retry has the words of the service. */
const isLogLine = (attributes: Readonly<Record<string, unknown>> = {}) => "effect.logLevel" in attributes

/** Keeps log lines and the service's words out of a span. */
const withholdContent = (span: Tracer.Span): void => {
  const end = span.end.bind(span)
  const event = span.event.bind(span)
  span.end = (time, exit) => end(time, withoutWords(exit))
  span.event = (name, time, attributes) => {
    if (!isLogLine(attributes)) event(name, time, attributes)
  }
}

/** A span that fails with an error of ours gets `error.type`. */
const nameFailure = (span: Tracer.Span): void => {
  const end = span.end.bind(span)
  span.end = (time, exit) => {
    const failure = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason) : undefined
    const reason = failure && reasonOf(failure.error)
    if (reason !== undefined) span.attribute("error.type", reason._tag)
    end(time, exit)
  }
}

/** The tracer for a call. Only a tracer sees how `Images.generate` and the spans in it end. */
export const observing = (tracer: Tracer.Tracer, capturesContent: boolean): Tracer.Tracer => ({
  context: tracer.context,
  span(options) {
    const span = tracer.span(options)
    if (!capturesContent) withholdContent(span)
    nameFailure(span) // Last, so that it sees the failure before its words are withheld.
    return span
  }
})
