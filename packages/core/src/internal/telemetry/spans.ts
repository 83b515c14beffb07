/**
 * The attributes that telemetry adds to spans: those of OpenTelemetry's conventions for generative AI, and this
 * library's own, with the prefix `gradient.image.`. The key is not among them. The prompt is added only if content is
 * captured.
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
import { redactText } from "../redaction.ts"
import type { AttemptResult } from "./AttemptMeter.ts"

/**
 * The name of the operation in spans and metrics. OpenTelemetry's conventions have no operation for images, so this is
 * their operation for multimodal content.
 */
export const operation = "generate_content"
export const provider = "digitalocean"

const callNames = new Set(["Images.generate", "Images.generateStream"])

const isCallSpan = (span: Tracer.AnySpan): span is Tracer.Span => span._tag === "Span" && callNames.has(span.name)

/** The span of the current attempt, and the span of its call if the call was made through `Images`. */
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

/** Redacts a key of the service that was given as the name of the model by mistake. */
export const shownModel = redactText({})

/** Adds the attributes that are known before the request is sent. */
export const describeRequest = (span: Tracer.Span, { params, server }: Attempt, capturesContent: boolean): void => {
  const { model, n, outputFormat, partialImages, prompt, quality, size } = params
  Telemetry.addGenAIAnnotations(span, {
    operation: { name: operation },
    provider: { name: provider },
    output: { type: "image" },
    request: { model: shownModel(model) }
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

/**
 * Whether the call may have been charged for. If an earlier attempt of the call is in doubt, and a later attempt was
 * not charged for, the call's span stays in doubt. If a later attempt was charged for, the span has `yes`.
 */
const chargedOf = (span: Tracer.Span, { charged }: AttemptResult) =>
  charged === "no" && span.attributes.get("gradient.image.charged") === "in_doubt" ? "in_doubt" : charged

/**
 * Adds the attributes that describe the result of an attempt. The model of the response is not among them, because the
 * service's replies do not name it.
 */
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

/** Adds an event for a partial image to the span. `seconds` is the time since the request was sent. */
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
 * A failure without the messages of the service or of the transport, because these can repeat the prompt. If an error
 * is not from this library, for example from the HTTP client, only the `_tag` of its reason or its own is kept.
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

/**
 * Whether an event of a span is a log line. Effect adds each log line to the current span as an event. The log line
 * about a retry contains the message of the service.
 */
const isLogLine = (attributes: Readonly<Record<string, unknown>> = {}) => "effect.logLevel" in attributes

/** Keeps log lines, and messages of the service, out of a span. */
const withholdContent = (span: Tracer.Span): void => {
  const end = span.end.bind(span)
  const event = span.event.bind(span)
  span.end = (time, exit) => end(time, withoutWords(exit))
  span.event = (name, time, attributes) => {
    if (!isLogLine(attributes)) event(name, time, attributes)
  }
}

/** Adds the attribute `error.type` to a span that fails with an error of this library. */
const nameFailure = (span: Tracer.Span): void => {
  const end = span.end.bind(span)
  span.end = (time, exit) => {
    const failure = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason) : undefined
    const reason = failure && reasonOf(failure.error)
    if (reason !== undefined) span.attribute("error.type", reason._tag)
    end(time, exit)
  }
}

/**
 * The tracer that observes a call. A tracer is needed because nothing else sees how `Images.generate` and the spans in
 * it end.
 */
export const observing = (tracer: Tracer.Tracer, capturesContent: boolean): Tracer.Tracer => ({
  context: tracer.context,
  span(options) {
    const span = tracer.span(options)
    if (!capturesContent) withholdContent(span)
    // This is the last wrapper of `span.end`, so it runs first and sees the failure before the messages are removed.
    nameFailure(span)
    return span
  }
})
