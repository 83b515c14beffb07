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
import { isKnownName, type DecodedEvent, decodeEvent } from "./decodeEvent.ts"
import * as Reply from "./decodeReply.ts"
import type { OpenReply } from "./openReply.ts"
import { type IncomingReply, pullUntil, watched } from "./readBody.ts"
import { type RawEvent, SseParser } from "./SseParser.ts"

type Reason = GradientError.GradientErrorReason
type Images = ReadonlyArray<GeneratedImage>

/** Events that arrived together. */
export type Events = Arr.NonEmptyReadonlyArray<ImageGenStreamEvent>

/** Converts chunks to events, and decides when the stream ends and whether it failed. */
class EventReader {
  /** Set when the stream has ended. `reason` is undefined if the stream succeeded. */
  ending: { readonly reason: Reason | undefined } | undefined
  /** Messages that will be logged at debug level. */
  readonly notes: Array<string> = []

  /**
   * The images that a failure carries besides `#kept`: those of the last decoded event, or of an unusable or unknown
   * event after it. If the event at which the failure occurs has images, the failure carries those instead.
   */
  #last: ImageGenStreamEvent | ReadonlyArray<Uint8Array> = []
  /** The completed images, if the caller gets them only at the end of the stream. A failure carries them. */
  readonly #kept: Array<Completed> = []
  /**
   * `#completed` is the number of completed images, including unusable ones. `#isComplete` is whether the last image,
   * usable or not, was a completed one.
   */
  #completed = 0
  #isComplete = false
  /**
   * `#partials` is the number of partial images so far. `#lastIndex` is the index of the last usable partial image
   * after the last completed image, or -1.
   */
  #partials = 0
  #lastIndex = -1
  /** Why an image cannot be used. If only partial images cannot be used, a usable completed image clears this. */
  #flaw: Reply.Flaw | undefined
  #isCompletedFlawed = false
  /** The last message in an event that was skipped, for the description of a failure. */
  #words: string | undefined

  readonly #incoming: IncomingReply
  readonly #keeps: boolean
  readonly #parser: SseParser

  constructor(incoming: IncomingReply, keeps: boolean) {
    this.#incoming = incoming
    this.#keeps = keeps
    this.#parser = new SseParser(incoming.limits, isKnownName)
  }

  /**
   * Parses chunks and returns the events that ended in them. Returns `undefined` if more chunks are needed: if there
   * are no events, no notes and no ending. The list is empty if there are only notes or an ending.
   */
  take(chunks: ReadonlyArray<Uint8Array>): Array<ImageGenStreamEvent> | undefined {
    const raws: Array<RawEvent> = []
    for (const chunk of chunks) this.#parser.write(chunk, raws)
    const events = this.#understand(raws)
    if (this.#parser.problem !== undefined) this.#fail(this.#parser.problem)
    return events.length > 0 || this.notes.length > 0 || this.ending !== undefined ? events : undefined
  }

  /** Ends the stream and returns its last events. `reason` is why reading failed; without it, the body has ended. */
  finish(reason?: Reason): Array<ImageGenStreamEvent> {
    const raws: Array<RawEvent> = []
    this.#parser.finish(raws)
    const events = this.#understand(raws)
    if (this.#parser.hasPendingImage) this.#isComplete = false
    if (this.ending === undefined && reason !== undefined) this.ending = { reason }
    this.#end()
    return events
  }

  /** The images that a failure would carry at this moment. */
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
        decodeEvent(raw, {
          head: this.#incoming.head,
          partialImages: this.#incoming.partialImages,
          nextIndex: this.#lastIndex + 1,
          carry: (own) => this.#carry(own)
        }),
        raw,
        events
      )
    }
    return events
  }

  #follow(decoded: DecodedEvent, raw: RawEvent, events: Array<ImageGenStreamEvent>): void {
    switch (decoded._tag) {
      case "Events":
        for (const event of decoded.events) {
          if (event._tag === "PartialImage" ? this.#addPartial(event) : this.#addCompleted(event)) events.push(event)
        }
        this.notes.push(...Reply.noteUnreadable(decoded.unreadable))
        break
      case "Unusable":
        if (raw.data.images.length > 0) this.#last = raw.data.images
        if (decoded.isPartial) this.#countPartial()
        this.#addFlaw(decoded.flaw, decoded.isPartial)
        break
      case "Skipped":
        if (raw.data.images.length > 0) this.#last = raw.data.images
        this.#words = decoded.words ?? this.#words
        if (decoded.name !== "") {
          this.notes.push(`Skipped an event of an unknown type or without data: ${decoded.name.slice(0, 100)}`)
        }
        break
      case "Done":
        this.#end()
        break
      case "Failed":
        this.ending = { reason: decoded.reason }
        this.#incoming.onWhole()
    }
    if (this.#completed >= this.#incoming.n && this.#isComplete) this.#end()
  }

  #addPartial(event: ImageGenStreamEvent & { readonly _tag: "PartialImage" }): boolean {
    this.#countPartial()
    this.#lastIndex = event.partialImageIndex
    this.#last = event
    return this.ending === undefined
  }

  /**
   * Counts a partial image. The stream fails at more than twice as many partial images as requested, but 6 for each
   * image are always allowed. Some servers always send 3, and failing early would lose an image that is paid for.
   */
  #countPartial(): void {
    const { n, partialImages } = this.#incoming
    const most = 2 * n * Math.max(partialImages, usualPartialImages)
    this.#isComplete = false
    this.#partials++
    if (this.#partials > most) this.#fail(`more than ${most} partial images arrived`)
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
    this.#isComplete = true
    this.#lastIndex = -1
  }

  #fail(flaw: string | Reply.Flaw): void {
    this.ending ??= { reason: Reply.invalidReply(this.#incoming.head, flaw, this.carried()) }
  }

  /**
   * Ends the stream. It succeeds even with fewer images than requested, if the last image is complete and every
   * completed image is usable.
   */
  #end(): void {
    if (this.ending !== undefined) return
    if (this.#isComplete && !this.#isCompletedFlawed) {
      this.ending = { reason: undefined }
      this.#incoming.onWhole()
    } else if (this.#flaw !== undefined) this.#fail(this.#flaw)
    else {
      const { fields } = this.#incoming.head
      const description = this.#words === undefined ? undefined : `the last message in the stream: ${this.#words}`
      this.ending = {
        reason: new GradientError.IncompleteStreamError({ ...fields, images: this.carried(), description })
      }
    }
  }
}

/** The highest number of partial images that gpt-image models send for each image. */
const usualPartialImages = 3

/** The images in failures that are known to be partial. Nothing else distinguishes them from complete ones. */
export const carriedPartials = /* @__PURE__ */ new WeakSet<GeneratedImage>()

const imageOf = (event: ImageGenStreamEvent): GeneratedImage => {
  const { bytes, outputFormat } = event
  if (event._tag === "Completed") return new GeneratedImage({ bytes, outputFormat, revisedPrompt: event.revisedPrompt })
  const image = new GeneratedImage({ bytes, outputFormat })
  carriedPartials.add(image)
  return image
}

/** Returns a pull of a reply's events. Each pull waits for the next events and returns them. */
export const pullEvents = (incoming: IncomingReply, reply: OpenReply): Pull.Pull<Events, Reason> =>
  pullWith(new EventReader(incoming, false), incoming, reply)

const pullWith = (
  reader: EventReader,
  incoming: IncomingReply,
  { pull, start }: OpenReply
): Pull.Pull<Events, Reason> => {
  // The chunks that were read to recognise the form of the reply may already contain events.
  let first = reader.take(start)
  const more = watched(
    incoming,
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

/** Reads an event stream until it has ended or has all images, and returns a response with the completed images. */
export const readCompleted = Effect.fnUntraced(function* (incoming: IncomingReply, reply: OpenReply) {
  const completed: Array<Completed> = []
  const next = pullWith(new EventReader(incoming, true), incoming, reply)
  const all: Pull.Pull<never, Reason> = Effect.flatMap(next, (events) => {
    for (const event of events) if (event._tag === "Completed") completed.push(event)
    return all
  })
  yield* Pull.catchDone(all, () => Effect.void)
  return Arr.isReadonlyArrayNonEmpty(completed)
    ? Reply.responseOfCompleted(completed, incoming.head)
    : yield* Effect.die("an event stream succeeded without a completed image")
})
