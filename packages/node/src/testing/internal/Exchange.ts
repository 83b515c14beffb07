/**
 * A request and its reply in the readable form of a cassette. JSON is kept as JSON, and a stream as a list of events.
 * Each image in the JSON of a reply is replaced by the name of its file.
 */
import { RecordedRequest, TestTransport } from "@effect-gradient/core/testing"
import * as Base64 from "effect/encoding/Base64"
import * as Sse from "effect/encoding/Sse"
import type * as Headers from "effect/http/Headers"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const Pairs = Schema.Record(Schema.String, Schema.String)
const text = { text: Schema.String }
const json = { json: Schema.Unknown }
const event = { event: Schema.String }

export const Exchange = Schema.Struct({
  request: Schema.Struct({
    method: Schema.String,
    url: Schema.String,
    headers: Pairs,
    body: Schema.optional(Schema.Unknown)
  }),
  response: Schema.Struct({
    status: Schema.Int,
    headers: Pairs,
    body: Schema.Union([
      Schema.Struct({
        events: Schema.Array(Schema.Union([Schema.Struct({ ...event, ...text }), Schema.Struct({ ...event, ...json })]))
      }),
      Schema.Struct(text),
      Schema.Struct(json)
    ]),
    /** Present if the connection broke within the body. */
    end: Schema.optional(Schema.Literal("reset"))
  })
})
export type Exchange = typeof Exchange.Type

/** The content of a body or of an event: JSON, or text if it is not JSON. */
type Content = { readonly text: string } | { readonly json: unknown }

/** A request, whose secrets are already redacted, and its reply as it was received, decompressed. */
export interface Received {
  readonly request: RecordedRequest.RecordedRequest
  readonly status: number
  readonly headers: Headers.Headers
  readonly text: string
  readonly isBroken: boolean
  /** Redacts in a text the secrets of the request, and any keys of the service. */
  readonly redact: (text: string) => string
  /** Stores an image, and returns the name of its file. */
  readonly keepImage: (bytes: Uint8Array) => string
}

/** The field of the JSON that contains the base64 of an image. */
const imageMember = "b64_json"

/** Decodes the base64 of an image. White space is allowed, and padding may be missing. */
const imageOf = (base64: string): Uint8Array | undefined => {
  const dense = base64.replace(/\s+/g, "")
  return Result.getOrUndefined(Base64.decode(dense.padEnd(Math.ceil(dense.length / 4) * 4, "=")))
}

const contentOf = (content: string, { keepImage, redact }: Received): Content => {
  const keep = (name: string, value: unknown): unknown => {
    if (typeof value !== "string") return value
    const image = name === imageMember ? imageOf(value) : undefined
    return image === undefined ? redact(value) : keepImage(image)
  }
  return Result.try((): unknown => JSON.parse(content, keep)).pipe(
    Result.match({ onSuccess: (parsed): Content => ({ json: parsed }), onFailure: () => ({ text: redact(content) }) })
  )
}

/** Returns the complete events of a stream, without its comments. */
const eventsOf = (received: Received): ReadonlyArray<{ readonly event: string } & Content> => {
  const events: Array<{ readonly event: string } & Content> = []
  const parser = Sse.makeParser((part) => {
    if (part._tag === "Event") events.push({ event: part.event, ...contentOf(part.data, received) })
  })
  parser.feed(received.text) // The text is fed in one call, because the parser has a limit for incomplete events only.
  return events
}

/** Headers about how the body was transferred. They do not apply to the recorded body. */
const transferHeaders = /^(content-encoding|content-length|transfer-encoding|connection|keep-alive)$/

const headersOf = ({ headers, redact }: Received) =>
  Object.fromEntries(
    Object.entries(RecordedRequest.redactHeaders(headers, redact)).filter(([name]) => !transferHeaders.test(name))
  )

export const fromReceived = (received: Received): Exchange => {
  const isStream = /^text\/event-stream\b/i.test(received.headers["content-type"] ?? "")
  return {
    request: received.request,
    response: {
      status: received.status,
      headers: headersOf(received),
      body: isStream ? { events: eventsOf(received) } : contentOf(received.text, received),
      ...(received.isBroken ? { end: "reset" } : {})
    }
  }
}

/** Returns the names of the image files that this JSON mentions. */
export const imageNames = (content: unknown): ReadonlyArray<string> => {
  const names = new Set<string>()
  JSON.stringify(content, (name, value: unknown) => {
    if (name === imageMember && typeof value === "string" && isFileName.test(value)) names.add(value)
    return value
  })
  return Array.from(names)
}

/** Matches a file name without a folder. It does not match base64, which has no dot. */
const isFileName = /^[^/\\]+\.\w+$/

/** Converts a recorded reply to a step of a test transport, with images from these files. */
export const toStep = ({ response }: Exchange, images: ReadonlyMap<string, Uint8Array>): TestTransport.Step => {
  const { body, ...options } = response
  const textOf = (content: Content): string =>
    "text" in content
      ? content.text
      : JSON.stringify(content.json, (name, value: unknown) => {
          const image = name === imageMember && typeof value === "string" ? images.get(value) : undefined
          return image === undefined ? value : Base64.encode(image)
        })
  if (!("events" in body)) return TestTransport.respond({ ...options, text: textOf(body) })
  return TestTransport.events(
    body.events.map((part) =>
      Sse.encoder.write({ _tag: "Event", event: part.event, id: undefined, data: textOf(part) })
    ),
    options
  )
}
