/**
 * Asks for pictures through the gateway behind this page, and shows each while it gets sharper.
 */
import { BrowserImages, ImageView } from "@effect-gradient/browser"
import { type ImageGenerateParams, ImageStream, Images } from "@effect-gradient/core"
import type { Scope } from "effect"
import { Effect, Schedule, Stream } from "effect"
import { element, next } from "./dom.ts"
import * as Form from "./form.ts"
import * as Gallery from "./gallery.ts"
import * as Words from "./words.ts"

type Params = ImageGenerateParams.ImageGenerateParamsStreaming

const stage = element("stage", HTMLElement)
const picture = element("picture", HTMLImageElement)
const progress = element("progress", HTMLProgressElement)
const status = element("status", HTMLParagraphElement)
const elapsed = element("elapsed", HTMLSpanElement)
const generate = element("generate", HTMLButtonElement)
const cancel = element("cancel", HTMLButtonElement)
const retry = element("retry", HTMLButtonElement)

/** The style sheet shows the parts of the stage that belong to a state. If the focused part goes, another gets the focus. */
const setState = (state: "drawing" | "done" | "cancelled" | "failed") => {
  const hadFocus = stage.contains(document.activeElement)
  stage.dataset["state"] = state
  generate.ariaDisabled = String(state === "drawing")
  if (hadFocus) (state === "drawing" ? cancel : generate).focus()
}

const begin = (params: Params) => {
  setState("drawing")
  stage.dataset["size"] = params.size ?? "auto"
  picture.removeAttribute("src")
  picture.alt = params.prompt
  progress.removeAttribute("value")
  stage.scrollIntoView({ block: "nearest" })
}

/** Counts the seconds, without end. */
const tick = Effect.suspend(() => {
  let seconds = 0
  return Effect.sync(() => {
    elapsed.textContent = `${seconds++} s`
  }).pipe(Effect.repeat(Schedule.spaced("1 second")), Effect.andThen(Effect.never))
})

const draw = (params: Params) =>
  Images.generateStream(params, { onRetry: ImageView.onRetry(status) }).pipe(
    ImageStream.tapProgress(({ event, images }) =>
      Effect.sync(() => {
        if (event._tag === "PartialImage") progress.max = (event.partialImages ?? images) + 1
        progress.value = images
      })
    ),
    Stream.mapError(Words.toPictureError),
    ImageView.run({ target: picture, status }),
    // A stream of core fails by itself if the last picture does not come.
    Effect.catchTag("GradientError", Effect.die),
    Effect.timed,
    Effect.raceFirst(tick)
  )

/** Draws what is asked for, then waits for the next order and gives it. The picture stays until then. */
const turn = Effect.fnUntraced(function* (params: Params, session: Scope.Scope) {
  begin(params)
  const end = yield* draw(params).pipe(
    Effect.flatMap(([took, image]) => Gallery.add({ params, image, took }, session)),
    Effect.as("done" as const),
    Effect.raceFirst(Effect.as(next(cancel, "click"), "cancelled" as const)),
    Effect.catch((error) =>
      Effect.sync(() => {
        // ImageView has put the message into the status.
        retry.hidden = !error.canRetry
        return "failed" as const
      })
    )
  )
  setState(end)
  if (end === "failed") status.scrollIntoView({ block: "nearest" })
  return yield* Effect.raceFirst(Form.submitted, Effect.as(next(retry, "click"), params))
}, Effect.scoped)

const page = Effect.gen(function* () {
  const session = yield* Effect.scope
  let params = yield* Form.submitted
  while (true) params = yield* turn(params, session)
})

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") cancel.click()
})

page.pipe(
  Effect.scoped,
  Effect.provide(BrowserImages.layer({ baseUrl: new URL("/v1", location.href).href })),
  Effect.runFork
)
