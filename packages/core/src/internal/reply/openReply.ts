/**
 * Opens the body of a reply and recognises its form by its first bytes, whatever its content type says.
 */
import type * as Arr from "effect/Array"
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Pull from "effect/Pull"
import type { GeneratedImage } from "../../GeneratedImage.ts"
import * as GradientError from "../../GradientError.ts"
import { latin1 } from "../base64.ts"
import { reasonOfFailure } from "../failure/transportFailure.ts"
import { type Head, invalidReply } from "./decodeReply.ts"
import type { Limits } from "./limits.ts"
import { type Activity, type Patience, watch } from "./readTimeouts.ts"

type Reason = GradientError.GradientErrorReason

/** A response whose head has arrived, and the rules for reading its body. */
export interface Reading {
  readonly response: HttpClientResponse.HttpClientResponse
  readonly head: Head
  /** How many images were asked for. */
  readonly n: number
  /** How many partial images of each image were asked for; 0 without a stream. */
  readonly partialImages: number
  readonly limits: Limits
  readonly patience: Patience
  /** Runs if every byte of the body was read. */
  readonly onWhole: () => void
}

type Chunks = Arr.NonEmptyReadonlyArray<Uint8Array>
type BodyPull = Pull.Pull<Chunks, HttpClientError.HttpClientError>

/** A body, and the chunks of it that were read to recognise its form. */
export interface OpenReply {
  readonly form: Form
  readonly start: ReadonlyArray<Uint8Array>
  readonly pull: BodyPull
}

type Form = "json" | "events" | "text" | "empty"

/** Opens the body for a single reader: `Stream.toPull` would guard each pull against others, which costs time per chunk. */
const openBody = ({ stream }: HttpClientResponse.HttpClientResponse) =>
  Effect.flatMap(Effect.scope, (scope) => Channel.toPullScoped(stream.channel, scope))

/** Fetch fails if a reply has no body; other transports give an empty one. */
const isEmptyBody = ({ reason }: HttpClientError.HttpClientError) => reason._tag === "EmptyBodyError"

/** Pulls chunks until `take` returns a value. The result is `undefined` if the body ends before. */
export const pullUntil = <A>(
  pull: BodyPull,
  activity: Activity,
  take: (chunks: Chunks) => A | undefined
): Effect.Effect<A | undefined, HttpClientError.HttpClientError> =>
  Effect.flatMap(Clock.Clock, (clock) => {
    const loop: Pull.Pull<A, HttpClientError.HttpClientError> = Effect.flatMap(pull, (chunks) => {
      activity.lastByteAt = clock.currentTimeMillisUnsafe()
      const taken = take(chunks)
      return taken === undefined ? loop : Effect.succeed(taken)
    })
    return Pull.catchDone(loop, () => Effect.undefined).pipe(Effect.catchIf(isEmptyBody, () => Effect.undefined))
  })

/** Reads with timeouts. If the read fails or takes too long, the reason carries `images`. */
export const watched = <A>(
  { head, patience }: Reading,
  read: (activity: Activity) => Effect.Effect<A, HttpClientError.HttpClientError>,
  images: () => ReadonlyArray<GeneratedImage>
): Effect.Effect<A, Reason> => {
  const facts = () => ({ ...head.facts, images: images() })
  const activity: Activity = { lastByteAt: 0 }
  return watch(
    Effect.mapError(read(activity), (error) => reasonOfFailure(error, facts())),
    activity,
    patience,
    (phase, description) =>
      new GradientError.RequestTimeoutError({ ...facts(), phase, description, reached: "Accepted" })
  )
}

/** Reads until the form of the reply is known. */
export const openReply = Effect.fnUntraced(function* (reading: Reading) {
  const pull = yield* openBody(reading.response)
  const start = new ReplyStart(reading.limits)
  const read = (activity: Activity) => pullUntil(pull, activity, (chunks) => start.take(chunks))
  const form = yield* watched(reading, read, () => [])
  if (start.problem !== undefined) return yield* Effect.fail(invalidReply(reading.head, start.problem))
  const reply: OpenReply = { form: form ?? start.formAtEnd(), start: start.chunks, pull }
  return reply
})

/** How many bytes are looked at for a line of an event stream. */
const sampleLength = 4096

/** An event stream starts with a comment or a field, or has a field after lines that mean nothing. */
const eventStream = /^:|^(?:data|event|id|retry)(?=[:\r\n])|[\r\n](?:data|event|id|retry)(?=[:\r\n])/

/** The start of a reply, until its form is known. */
class ReplyStart {
  /** Which limit was exceeded. */
  problem: string | undefined
  /** The chunks from the first byte on that is not blank. */
  readonly chunks: Array<Uint8Array> = []
  /** Some servers send white space while the image is being made. It is counted and not kept. */
  #blankBytes = 0
  /** The first bytes in `chunks`, one character for each byte. */
  #sample = ""
  #form: Form | undefined

  readonly #limits: Limits

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Takes chunks and gives the form of the reply as soon as it is known. */
  take(chunks: Chunks): Form | undefined {
    for (const chunk of chunks) this.#write(chunk)
    if (this.problem !== undefined) return "text"
    if (this.#form !== undefined) this.#removeByteOrderMark()
    return this.#form
  }

  /** The form of a reply that ended before it was known. */
  formAtEnd(): Form {
    return this.#sample.replace(startOfReply, "") === "" ? "empty" : "text"
  }

  #write(chunk: Uint8Array): void {
    let from = 0
    if (this.chunks.length === 0) {
      while (from < chunk.length && isBlank(chunk[from])) from++
      this.#blankBytes += from
      if (this.#blankBytes > this.#limits.jsonBytes) {
        this.problem = `it starts with white space over ${this.#limits.jsonBytes} bytes`
      }
      if (from === chunk.length) return
    }
    this.chunks.push(from === 0 ? chunk : chunk.subarray(from))
    if (this.#form !== undefined) return
    this.#sample += latin1(chunk, from, Math.min(chunk.length, from + sampleLength - this.#sample.length))
    this.#form = formOf(this.#sample)
  }

  #removeByteOrderMark(): void {
    if (this.#blankBytes > 0 || !this.#sample.startsWith(byteOrderMark)) return
    for (let left = byteOrderMark.length; left > 0;) {
      const [first] = this.chunks
      if (first === undefined) return
      if (first.length > left) this.chunks[0] = first.subarray(left)
      else this.chunks.shift()
      left -= first.length
    }
  }
}

/** A page can contain a line that looks like an event, so `<` is never the start of an event stream. */
const formOf = (sample: string): Form | undefined => {
  const start = sample.replace(startOfReply, "")
  if (start.startsWith("{") || start.startsWith("[")) return "json"
  if (!start.startsWith("<") && eventStream.test(start)) return "events"
  return sample.length < sampleLength ? undefined : "text"
}

/** White space of JSON, which blank lines of an event stream are too. */
const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** The UTF-8 byte order mark, one character for each byte. */
const byteOrderMark = "\xef\xbb\xbf"
const startOfReply = /^\xef\xbb\xbf[ \t\r\n]*/
