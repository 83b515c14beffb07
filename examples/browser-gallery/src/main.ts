/**
 * Asks for pictures through the gateway that serves this page, and shows each as it comes into focus.
 */
import { BrowserImages, ImageView } from "@effect-gradient/browser"
import { type ImageGenerateParams, ImageStream, Images } from "@effect-gradient/core"
import { Effect, Schedule, Scope } from "effect"
import { element, next } from "./dom.ts"
import * as Form from "./form.ts"
import * as Gallery from "./gallery.ts"

type Params = ImageGenerateParams.ImageGenerateParamsStreaming

const stage = element("stage", HTMLElement)
const picture = element("picture", HTMLImageElement)
const progress = element("progress", HTMLProgressElement)
const bar = element("bar", HTMLDivElement)
const status = element("status", HTMLParagraphElement)
const elapsed = element("elapsed", HTMLSpanElement)
const generate = element("generate", HTMLButtonElement)
const cancel = element("cancel", HTMLButtonElement)
const retry = element("retry", HTMLButtonElement)

/** The style sheet says what of the stage belongs to which state. A focused button does not take the focus with it. */
const setState = (state: "drawing" | "done" | "cancelled" | "failed") => {
  const hadFocus = bar.contains(document.activeElement)
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
  progress.max = Form.partialImages + 1
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
  Images.generateStream(params).pipe(
    ImageStream.tapProgress(({ pictures }) =>
      Effect.sync(() => {
        progress.value = pictures
      })
    ),
    ImageView.run({ target: picture, status }),
    Effect.timed,
    Effect.raceFirst(tick)
  )

/** Draws what is asked for, and gives what is asked for next. The picture stays until then. */
const turn = Effect.fnUntraced(function* (params: Params, session: Scope.Scope) {
  begin(params)
  const end = yield* draw(params).pipe(
    Effect.flatMap(([took, image]) => Scope.provide(Gallery.add({ params, image, took }), session)),
    Effect.as("done" as const),
    Effect.raceFirst(Effect.as(next(cancel, "click"), "cancelled" as const)),
    Effect.catch((error) =>
      Effect.sync(() => {
        // Asking again must cost nothing. ImageView has said what went wrong.
        retry.hidden = !error.isRetryable || error.mayHaveBeenCharged
        return "failed" as const
      })
    )
  )
  setState(end)
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
