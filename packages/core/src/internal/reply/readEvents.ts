/**
 * Reads a reply as an event stream.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import { GeneratedImage } from "../../GeneratedImage.ts"
import * as GradientError from "../../GradientError.ts"
import type { Completed, ImageGenStreamEvent } from "../../ImageGenStreamEvent.ts"
import { isKnownName, type Meaning, meaningOf } from "./decodeEvent.ts"
import * as Reply from "./decodeReply.ts"
import { type OpenReply, pullUntil, type Reading, watched } from "./openReply.ts"
import { type RawEvent, SseParser } from "./SseParser.ts"

type Reason = GradientError.GradientErrorReason
type Images = ReadonlyArray<GeneratedImage>

/** Events that arrived together. */
export type Events = Arr.NonEmptyReadonlyArray<ImageGenStreamEvent>

/** From chunks to events, up to the end of the stream and the reason for it. */
class EventReader {
  /** How the stream ended, as soon as that is known. Without a reason it ended well. */
  ending: { readonly reason: Reason | undefined } | undefined
  /** What is to be logged at debug. */
  readonly notes: Array<string> = []

  /** The last picture that was given out, or that is in an event of an unknown name: a failure carries it. */
  #last: ImageGenStreamEvent | ReadonlyArray<Uint8Array> = []
  /** The completed images, if the caller gets nothing before the end: a failure carries them. */
  readonly #kept: Array<Completed> = []
  /** How many images are complete, and whether none is half done. */
  #completed = 0
  #isWhole = false
  /** How many partial images came, and the index of the last one. */
  #partials = 0
  #lastIndex = -1
  /** Why an image cannot be used. That of a partial image is forgotten when a completed one comes. */
  #flaw: Reply.Flaw | undefined
  #isCompletedFlawed = false

  readonly #reading: Reading
  readonly #keeps: boolean
  readonly #parser: SseParser

  constructor(reading: Reading, keeps: boolean) {
    this.#reading = reading
    this.#keeps = keeps
    this.#parser = new SseParser(reading.limits, isKnownName)
  }

  /** Takes chunks, and gives the events that ended in them; `undefined` if nothing has happened. */
  take(chunks: ReadonlyArray<Uint8Array>): Array<ImageGenStreamEvent> | undefined {
    const raws: Array<RawEvent> = []
    for (const chunk of chunks) this.#parser.write(chunk, raws)
    const events = this.#understand(raws)
    if (this.#parser.problem !== undefined) this.#fail(this.#parser.problem)
    return events.length > 0 || this.notes.length > 0 || this.ending !== undefined ? events : undefined
  }

  /** No more bytes come, for this reason or because the body has ended. */
  finish(reason?: Reason): Array<ImageGenStreamEvent> {
    const raws: Array<RawEvent> = []
    this.#parser.finish(raws)
    const events = this.#understand(raws)
    if (this.#parser.hasPendingImage) this.#isWhole = false
    if (this.ending === undefined && reason !== undefined) this.ending = { reason }
    this.#end()
    return events
  }

  /** The images that a failure carries now. */
  carried(): Images {
    return this.#carry(this.#parser.pendingImages)
  }

  #carry(own: ReadonlyArray<Uint8Array>): Images {
    const kept = this.#kept.map(imageOf)
    if (own.length > 0) return [...kept, ...Reply.bareImages(own)]
    return "bytes" in this.#last ? [...kept, imageOf(this.#last)] : [...kept, ...Reply.bareImages(this.#last)]
  }

  #understand(raws: ReadonlyArray<RawEvent>): Array<ImageGenStreamEvent> {
    const events: Array<ImageGenStreamEvent> = []
    for (const raw of raws) {
      if (this.ending !== undefined) break
      this.#follow(
        meaningOf(raw, {
          head: this.#reading.head,
          partialImages: this.#reading.partialImages,
          nextIndex: this.#lastIndex + 1,
          carry: (own) => this.#carry(own)
        }),
        raw,
        events
      )
    }
    return events
  }

  #follow(meaning: Meaning, raw: RawEvent, events: Array<ImageGenStreamEvent>): void {
    switch (meaning._tag) {
      case "Events":
        for (const event of meaning.events) {
          if (event._tag === "PartialImage" ? this.#addPartial(event) : this.#addCompleted(event)) events.push(event)
        }
        this.notes.push(...Reply.noteUnreadable(meaning.unreadable))
        break
      case "Unusable":
        if (raw.data.images.length > 0) this.#last = raw.data.images
        if (meaning.isPartial) this.#countPartial()
        this.#addFlaw(meaning.flaw, meaning.isPartial)
        break
      case "Skipped":
        if (raw.data.images.length > 0) this.#last = raw.data.images
        if (meaning.name !== "") this.notes.push(`Skipped an event of an unknown type: ${meaning.name.slice(0, 100)}`)
        break
      case "Done":
        this.#end()
        break
      case "Failed":
        this.ending = { reason: meaning.reason }
    }
    if (this.#completed >= this.#reading.n && this.#isWhole) this.#end()
  }

  #addPartial(event: ImageGenStreamEvent & { readonly _tag: "PartialImage" }): boolean {
    this.#countPartial()
    this.#lastIndex = event.partialImageIndex
    this.#last = event
    return this.ending === undefined
  }

  /**
   * A stream of partial images cannot go on for ever: as many again as were asked for are accepted. Some servers always
   * send 3 of each image, whatever was asked for, and the image that follows them has been paid for.
   */
  #countPartial(): void {
    const { n, partialImages } = this.#reading
    const most = 2 * n * Math.max(partialImages, usualPartialImages)
    this.#isWhole = false
    this.#partials++
    if (this.#partials > most) this.#fail(`more than ${most} partial images came`)
  }

  #addCompleted(event: Completed): boolean {
    this.#complete()
    if (!this.#isCompletedFlawed) this.#flaw = undefined
    if (this.#keeps) this.#kept.push(event)
    this.#last = this.#keeps ? [] : event
    return true
  }

  #addFlaw(flaw: Reply.Flaw, isPartial: boolean): void {
    this.notes.push(`An image cannot be used: ${flaw.description}`)
    const known = this.#flaw
    const isNewer = known === undefined || (!isPartial && !this.#isCompletedFlawed)
    const urls = [...(known?.urls ?? []), ...flaw.urls]
    this.#flaw = { description: isNewer ? flaw.description : known.description, urls }
    if (isPartial) return
    this.#isCompletedFlawed = true
    this.#complete()
  }

  #complete(): void {
    this.#completed++
    this.#isWhole = true
    this.#lastIndex = -1
  }

  #fail(flaw: string | Reply.Flaw): void {
    this.ending ??= { reason: Reply.invalidReply(this.#reading.head, flaw, this.carried()) }
  }

  /** Fewer images than were asked for may come, but none may be left half done. */
  #end(): void {
    if (this.ending !== undefined) return
    if (this.#isWhole && !this.#isCompletedFlawed) this.ending = { reason: undefined }
    else if (this.#flaw !== undefined) this.#fail(this.#flaw)
    else {
      const { facts } = this.#reading.head
      this.ending = { reason: new GradientError.IncompleteStreamError({ ...facts, images: this.carried() }) }
    }
  }
}

/** gpt-image models send at most this many partial images of each image. */
const usualPartialImages = 3

const imageOf = (event: ImageGenStreamEvent): GeneratedImage =>
  new GeneratedImage({
    bytes: event.bytes,
    outputFormat: event.outputFormat,
    revisedPrompt: event._tag === "Completed" ? event.revisedPrompt : undefined
  })

/** Each pull gives the events that have ended, as soon as there are some. */
export const pullEvents = (reading: Reading, reply: OpenReply): Pull.Pull<Events, Reason> =>
  pullWith(new EventReader(reading, false), reading, reply)

const pullWith = (reader: EventReader, reading: Reading, { pull, start }: OpenReply): Pull.Pull<Events, Reason> => {
  // The chunks that were read to recognise the form may hold events already.
  let first = reader.take(start)
  const more = watched(
    reading,
    (activity) => pullUntil(pull, activity, (chunks) => reader.take(chunks)),
    () => reader.carried()
  )
  const read = Effect.suspend(() => {
    if (first === undefined) return more
    const events = first
    first = undefined
    return Effect.succeed(events)
  })
  const next: Pull.Pull<Events, Reason> = Effect.suspend(() => {
    if (reader.ending !== undefined && first === undefined) {
      const { reason } = reader.ending
      return reason === undefined ? Cause.done() : Effect.fail(reason)
    }
    return read.pipe(
      Effect.map((events) => events ?? reader.finish()),
      Effect.catch((reason) => Effect.sync(() => reader.finish(reason))),
      Effect.tap(() =>
        reader.notes.length === 0
          ? Effect.void
          : Effect.forEach(reader.notes.splice(0), (note) => Effect.logDebug(note))
      ),
      Effect.flatMap((events) => (Arr.isReadonlyArrayNonEmpty(events) ? Effect.succeed(events) : next))
    )
  })
  return next
}

/** Reads to the end and gives a response of the completed images. */
export const readCompleted = Effect.fnUntraced(function* (reading: Reading, reply: OpenReply) {
  const completed: Array<Completed> = []
  const next = pullWith(new EventReader(reading, true), reading, reply)
  const all: Pull.Pull<never, Reason> = Effect.flatMap(next, (events) => {
    for (const event of events) if (event._tag === "Completed") completed.push(event)
    return all
  })
  yield* Pull.catchDone(all, () => Effect.void)
  return Arr.isReadonlyArrayNonEmpty(completed)
    ? Reply.responseOfCompleted(completed, reading.head)
    : yield* Effect.die("an event stream that ends well has a completed image")
})
