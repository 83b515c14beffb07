/**
 * A request and its answer, as a person reads them in a file: JSON as JSON, a stream as its events, and the name of an
 * image file where the wire has base64.
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
    /** The connection broke within the body. */
    end: Schema.optional(Schema.Literal("reset"))
  })
})
export type Exchange = typeof Exchange.Type

/** Text, or the JSON that it is. */
type Content = { readonly text: string } | { readonly json: unknown }

/** What came over the wire for a request. */
export interface Received {
  readonly request: RecordedRequest.RecordedRequest
  readonly status: number
  readonly headers: Headers.Headers
  readonly text: string
  readonly isBroken: boolean
  /** Takes the secrets of the request out. */
  readonly redact: (text: string) => string
  /** Keeps an image, and gives the name of its file. */
  readonly keepImage: (bytes: Uint8Array) => string
}

/** Where the base64 of an image stands on the wire. */
const imageMember = "b64_json"

/** As lenient as the library: white space, and no padding. */
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

/** The events that have ended; comments are left out. */
const eventsOf = (received: Received): ReadonlyArray<{ readonly event: string } & Content> => {
  const events: Array<{ readonly event: string } & Content> = []
  const parser = Sse.makeParser((part) => {
    if (part._tag === "Event") events.push({ event: part.event, ...contentOf(part.data, received) })
  })
  parser.feed(received.text) // At once, so the parser's limit, which is for what has not ended, holds nothing back.
  return events
}

/** They tell of the body as it was sent, and not as it is kept. */
const headersOfTheWay = /^(content-encoding|content-length|transfer-encoding|connection|keep-alive)$/

const headersOf = ({ headers, redact }: Received) =>
  Object.fromEntries(
    Object.entries(RecordedRequest.redactHeaders(headers, redact)).filter(([name]) => !headersOfTheWay.test(name))
  )

/** What is kept of an exchange. */
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

/** The names of the image files that this JSON tells of. */
export const imageNames = (content: unknown): ReadonlyArray<string> => {
  const names = new Set<string>()
  JSON.stringify(content, (name, value: unknown) => {
    if (name === imageMember && typeof value === "string" && isFileName.test(value)) names.add(value)
    return value
  })
  return Array.from(names)
}

/** No base64, as that has no dot; and in no other folder. */
const isFileName = /^[^/\\]+\.\w+$/

/** The answer as it came, with the images of these names in it. */
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
