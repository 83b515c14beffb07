/**
 * Opens the body of a reply and recognises its form by its first bytes. The header `content-type` is not used, because
 * some servers send a wrong one.
 */
import * as Effect from "effect/Effect"
import { latin1 } from "../base64.ts"
import { invalidReply } from "./decodeReply.ts"
import type { Limits } from "./limits.ts"
import { type BodyPull, type Chunks, type IncomingReply, openBody, pullUntil, watched } from "./readBody.ts"
import type { Activity } from "./readTimeouts.ts"

/** The form of a body, the first chunks (which were read to recognise the form), and a pull for the rest. */
export interface OpenReply {
  readonly form: Form
  readonly start: ReadonlyArray<Uint8Array>
  readonly pull: BodyPull
}

type Form = "json" | "events" | "text" | "empty"

/** Opens the body, and reads until its form is recognised. */
export const openReply = Effect.fnUntraced(function* (incoming: IncomingReply) {
  const pull = yield* openBody(incoming.response)
  const start = new ReplyStart(incoming.limits)
  const read = (activity: Activity) => pullUntil(pull, activity, (chunks) => start.take(chunks))
  const form = yield* watched(incoming, read, () => [])
  if (start.problem !== undefined) return yield* Effect.fail(invalidReply(incoming.head, start.problem))
  const reply: OpenReply = { form: form ?? start.formAtEnd(), start: start.chunks, pull }
  return reply
})

/** The number of bytes at the start of a reply that are searched for a line of an event stream. */
const sampleLength = 4096

/** Matches the start of an event stream: a comment, a field, or a field after unknown lines. */
const eventStream = /^:|^(?:data|event|id|retry)(?=[:\r\n])|[\r\n](?:data|event|id|retry)(?=[:\r\n])/

/** The first chunks of a reply. They are read to recognise the reply's form. */
class ReplyStart {
  /** Describes the limit that was exceeded. */
  problem: string | undefined
  /** The chunks so far, without the white space at the start of the reply. */
  readonly chunks: Array<Uint8Array> = []
  /**
   * The number of bytes of white space at the start. Some servers send white space while they generate. It is not kept.
   */
  #blankBytes = 0
  /** The first bytes of `chunks` as a string, with one character for each byte. */
  #sample = ""
  #form: Form | undefined

  readonly #limits: Limits

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /**
   * Adds chunks. Returns the form of the reply once it is recognised, else `undefined`. If `problem` is set, returns
   * `text`.
   */
  take(chunks: Chunks): Form | undefined {
    for (const chunk of chunks) this.#write(chunk)
    if (this.problem !== undefined) return "text"
    if (this.#form !== undefined) this.#removeByteOrderMark()
    return this.#form
  }

  /** The form of a reply that ended before the form was recognised. */
  formAtEnd(): Form {
    const start = this.#sample.replace(startOfReply, "")
    if (start === "") return "empty"
    return bracket.test(start) ? "json" : "text"
  }

  #write(chunk: Uint8Array): void {
    let from = 0
    if (this.chunks.length === 0) {
      while (from < chunk.length && isBlank(chunk[from])) from++
      this.#blankBytes += from
      if (this.#blankBytes > this.#limits.jsonBytes) {
        this.problem = `the reply starts with over ${this.#limits.jsonBytes} bytes of white space`
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

/**
 * The form of a reply that starts with `sample`; `undefined` if more bytes are needed. A reply that starts with `<` is
 * not an event stream, because an HTML page can contain a line that looks like an event.
 */
const formOf = (sample: string): Form | undefined => {
  const start = sample.replace(startOfReply, "")
  if (jsonStart.test(start)) return "json"
  if (!start.startsWith("<") && eventStream.test(start)) return "events"
  if (sample.length < sampleLength) return undefined
  return bracket.test(start) ? "json" : "text"
}

/**
 * Matches the start of JSON: a bracket and the first character after it that is not white space. The bracket alone is
 * not enough, because an event stream can begin with a damaged line that starts with a bracket.
 */
const jsonStart = /^(?:\{[ \t\r\n]*["}]|\[[ \t\r\n]*[[{"\]])/
const bracket = /^[[{]/

/** Whether a byte is white space. JSON can start with white space, and an event stream with blank lines. */
const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** The UTF-8 byte order mark as a string, with one character for each byte. */
const byteOrderMark = "\xef\xbb\xbf"
const startOfReply = /^\xef\xbb\xbf[ \t\r\n]*/
