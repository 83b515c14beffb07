/**
 * Opens the body of a reply and recognises its form by its first bytes. The content type is not used, because some servers
 * send a wrong one.
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
import { type Activity, type ReadTimeouts, watch } from "./readTimeouts.ts"

type Reason = GradientError.GradientErrorReason

/** A response whose head has arrived, and the limits and timeouts for reading its body. */
export interface IncomingReply {
  readonly response: HttpClientResponse.HttpClientResponse
  readonly head: Head
  /** How many images the call asked for. */
  readonly n: number
  /** How many partial images of each image the call asked for; 0 without a stream. */
  readonly partialImages: number
  readonly limits: Limits
  readonly timeouts: ReadTimeouts
  /** Called when every byte of the body was read. */
  readonly onWhole: () => void
}

type Chunks = Arr.NonEmptyReadonlyArray<Uint8Array>
type BodyPull = Pull.Pull<Chunks, HttpClientError.HttpClientError>

/** A body, and its first chunks, which were read to recognise its form. */
export interface OpenReply {
  readonly form: Form
  readonly start: ReadonlyArray<Uint8Array>
  readonly pull: BodyPull
}

type Form = "json" | "events" | "text" | "empty"

/** Opens the body for a single reader. `Stream.toPull` would also guard against concurrent pulls, at a cost per chunk. */
const openBody = ({ stream }: HttpClientResponse.HttpClientResponse) =>
  Effect.flatMap(Effect.scope, (scope) => Channel.toPullScoped(stream.channel, scope))

/** Fetch fails if a reply has no body. Other transports have an empty body. */
const isEmptyBody = ({ reason }: HttpClientError.HttpClientError) => reason._tag === "EmptyBodyError"

/** Pulls chunks until `take` returns a value. Returns `undefined` if the body ends first. */
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
  { head, timeouts }: IncomingReply,
  read: (activity: Activity) => Effect.Effect<A, HttpClientError.HttpClientError>,
  images: () => ReadonlyArray<GeneratedImage>
): Effect.Effect<A, Reason> => {
  const fields = () => ({ ...head.fields, images: images() })
  const activity: Activity = { lastByteAt: 0 }
  return watch(
    Effect.mapError(read(activity), (error) => reasonOfFailure(error, fields())),
    activity,
    timeouts,
    (phase, description) =>
      new GradientError.RequestTimeoutError({ ...fields(), phase, description, reached: "Accepted" })
  )
}

/** Reads until the form of the reply is recognised. */
export const openReply = Effect.fnUntraced(function* (incoming: IncomingReply) {
  const pull = yield* openBody(incoming.response)
  const start = new ReplyStart(incoming.limits)
  const read = (activity: Activity) => pullUntil(pull, activity, (chunks) => start.take(chunks))
  const form = yield* watched(incoming, read, () => [])
  if (start.problem !== undefined) return yield* Effect.fail(invalidReply(incoming.head, start.problem))
  const reply: OpenReply = { form: form ?? start.formAtEnd(), start: start.chunks, pull }
  return reply
})

/** How many bytes are searched for a line of an event stream. */
const sampleLength = 4096

/** An event stream starts with a comment or a field, or has a field after unknown lines. */
const eventStream = /^:|^(?:data|event|id|retry)(?=[:\r\n])|[\r\n](?:data|event|id|retry)(?=[:\r\n])/

/** The first chunks of a reply, by which its form is recognised. */
class ReplyStart {
  /** The limit that was exceeded. */
  problem: string | undefined
  /** The chunks, without white space at the start. */
  readonly chunks: Array<Uint8Array> = []
  /** The length of white space at the start, which some servers send while they generate. It is not kept. */
  #blankBytes = 0
  /** The first bytes in `chunks`, one character for each byte. */
  #sample = ""
  #form: Form | undefined

  readonly #limits: Limits

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Adds chunks. Returns the form of the reply when it is recognised. */
  take(chunks: Chunks): Form | undefined {
    for (const chunk of chunks) this.#write(chunk)
    if (this.problem !== undefined) return "text"
    if (this.#form !== undefined) this.#removeByteOrderMark()
    return this.#form
  }

  /** The form of a reply that ended before its form was recognised. */
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

/** Text that starts with `<` is not an event stream, because an HTML page can contain a line that looks like an event. */
const formOf = (sample: string): Form | undefined => {
  const start = sample.replace(startOfReply, "")
  if (start.startsWith("{") || start.startsWith("[")) return "json"
  if (!start.startsWith("<") && eventStream.test(start)) return "events"
  return sample.length < sampleLength ? undefined : "text"
}

/** White space before JSON, or blank lines before an event stream. */
const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** The UTF-8 byte order mark, one character for each byte. */
const byteOrderMark = "\xef\xbb\xbf"
const startOfReply = /^\xef\xbb\xbf[ \t\r\n]*/
