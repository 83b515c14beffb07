/**
 * The page's program. It requests images from the gateway on the page's server, and shows each image while it gets
 * sharper.
 */
import { BrowserImages, ImageView } from "@effect-gradient/browser"
import {
  type GradientError,
  type ImageGenerateParams,
  ImageStream,
  Images,
  type ImageGenStreamEvent
} from "@effect-gradient/core"
import { Clock, Duration, Effect, Schedule, Stream } from "effect"
import * as Album from "./album.ts"
import { element, next } from "./dom.ts"
import * as Form from "./form.ts"
import * as Gallery from "./gallery.ts"
import * as Words from "./words.ts"

type Params = ImageGenerateParams.ImageGenerateParamsStreaming

/** One image to show: a new one, or one that an earlier page requested. */
interface Order {
  readonly params: Params
  readonly sentAt: number
  readonly events: Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, GradientError.GradientError, Images.Images>
}

const stage = element("stage", HTMLElement)
const img = element("image", HTMLImageElement)
const bar = element("bar", HTMLDivElement)
const about = element("about", HTMLDivElement)
const progress = element("progress", HTMLProgressElement)
const status = element("status", HTMLParagraphElement)
const elapsed = element("elapsed", HTMLSpanElement)
const generate = element("generate", HTMLButtonElement)
const cancel = element("cancel", HTMLButtonElement)
const retry = element("retry", HTMLButtonElement)
const title = element("failure", HTMLElement)
const details = element("details", HTMLDetailsElement)
const ids = element("ids", HTMLElement)
const notKept = element("not-kept", HTMLParagraphElement)

/**
 * Sets the state of the stage. The style sheet shows only the parts that belong to the state. If the focus was within
 * the stage, it moves to Cancel or Generate, because the focused part may now be hidden.
 */
const setState = (state: "drawing" | "done" | "cancelled" | "failed") => {
  const hadFocus = stage.contains(document.activeElement)
  stage.dataset["state"] = state
  generate.ariaDisabled = String(state === "drawing")
  if (hadFocus) (state === "drawing" ? cancel : generate).focus()
}

const begin = (params: Params) => {
  setState("drawing")
  stage.dataset["size"] = params.size ?? "auto"
  img.removeAttribute("src")
  img.alt = params.prompt
  progress.removeAttribute("value")
  stage.scrollIntoView({ block: "nearest" })
}

/** Shows the seconds since `sentAt`, and updates them every second. It never ends. */
const tick = (sentAt: number) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.sync(() => {
      elapsed.textContent = `${Math.round((now - sentAt) / 1000)} s`
    })
  ).pipe(Effect.repeat(Schedule.spaced("1 second")), Effect.andThen(Effect.never))

const orderOf = (params: Params) =>
  Effect.map(Clock.currentTimeMillis, (sentAt): Order => ({
    params,
    sentAt,
    events: Images.generateStream(params, { onRetry: ImageView.onRetry(status) })
  }))

const draw = ({ events, sentAt }: Order) =>
  events.pipe(
    ImageStream.tapProgress(({ event, images }) =>
      Effect.sync(() => {
        if (event._tag === "PartialImage") progress.max = (event.partialImages ?? images) + 1
        progress.value = images
      })
    ),
    Stream.mapError(Words.toImageError),
    ImageView.run({ target: img, status }),
    // `ImageView.run` fails with a `GradientError` if the stream has no final image. A stream of `Images` fails by itself in
    // that case, so this failure is a defect.
    Effect.catchTag("GradientError", Effect.die),
    Effect.raceFirst(tick(sentAt))
  )

/**
 * Stores the image in this browser's album, and shows the image's facts. If it cannot be stored, the page asks the user
 * to download it.
 */
const keep = Effect.fnUntraced(function* ({ params, sentAt }: Order, image: ImageGenStreamEvent.Completed) {
  const now = yield* Clock.currentTimeMillis
  const made = Album.imageOf(params, image, Duration.millis(now - sentAt), now)
  yield* Album.keep(made).pipe(
    Effect.catchTag("AlbumError", (error) =>
      Effect.andThen(
        Effect.logDebug("The browser did not store the image", error),
        Effect.sync(() => {
          notKept.hidden = false
        })
      )
    )
  )
  yield* Gallery.add(made)
})

const showFailure = (error: Words.ImageError) =>
  Effect.sync(() => {
    // ImageView.run has shown the error's message in the element `status`.
    title.textContent = error.title
    ids.textContent = error.ids
    details.hidden = error.ids === ""
    details.open = false
    retry.hidden = !error.canRetry
  })

/**
 * Draws one image: shows it while it gets sharper, and stores it. Returns how that ended. The facts of the image stay
 * below it until the scope closes.
 */
const turn = Effect.fnUntraced(function* (order: Order) {
  begin(order.params)
  const end = yield* draw(order).pipe(
    Effect.flatMap((image) => keep(order, image)),
    // If the page is reloaded or left before the image is stored, the next page in the same tab finds its request in
    // `BrowserImages.pending`.
    BrowserImages.pendingUntilDone,
    Effect.as("done" as const),
    Effect.raceFirst(Effect.as(next(cancel, "click"), "cancelled" as const)),
    Effect.catchTag("ImageError", (error) => Effect.as(showFailure(error), "failed" as const))
  )
  setState(end)
  if (end !== "cancelled") (end === "done" ? about : bar).scrollIntoView({ block: "nearest" })
  return end
})

/**
 * Shows the stored images. Then it draws, one after another, the images of pending requests of earlier pages, and then
 * each image that the user requests.
 */
const page = Effect.gen(function* () {
  for (const kept of yield* Effect.orElseSucceed(Album.all, () => [])) Gallery.addKept(kept)
  const waiting: Array<Order> = [...(yield* BrowserImages.pending)]
  let order = waiting.shift() ?? (yield* Effect.flatMap(Form.submitted, orderOf))
  while (true) {
    order = yield* Effect.scoped(
      Effect.gen(function* () {
        const { params } = order
        yield* turn(order)
        const left = waiting.shift()
        if (left !== undefined) return left
        return yield* Effect.flatMap(Effect.raceFirst(Form.submitted, Effect.as(next(retry, "click"), params)), orderOf)
      })
    )
  }
})

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") cancel.click()
})

page.pipe(Effect.provide(BrowserImages.layer({ baseUrl: new URL("/v1", location.href).href })), Effect.runFork)
