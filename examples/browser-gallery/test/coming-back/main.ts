/**
 * The page for the tests of examples/coming-back. Each button runs a recipe. The recipe `resume` runs when the page
 * loads.
 */
import { BrowserImages, ImageView } from "@effect-gradient/browser"
import { type GradientError, Images } from "@effect-gradient/core"
import { Effect, type Scope, Stream } from "effect"
import { inWords } from "../../../coming-back/doubt.ts"
import { resume } from "../../../coming-back/pending.ts"
import { showReconnecting } from "../../../coming-back/reconnecting.ts"
import { generateAndStore } from "../../../coming-back/storing.ts"
import { element } from "../../src/dom.ts"

const status = element("status", HTMLParagraphElement)
const image = element("image", HTMLImageElement)
const images = BrowserImages.layer({ baseUrl: new URL("/v1", location.href).href })

const say = (text: string) =>
  Effect.sync(() => {
    status.textContent = text
  })

const run = <A, E>(
  recipe: Effect.Effect<A, E | GradientError.GradientError, Images.Images | BrowserImages.PendingRequests | Scope.Scope>
) => recipe.pipe(Effect.provide(images), Effect.andThen(Effect.never), Effect.scoped, Effect.runFork)

const onClick = (id: string, recipe: Parameters<typeof run>[0]) =>
  element(id, HTMLButtonElement).addEventListener("click", () => run(recipe))

const prompt = "A cute baby sea otter"

/** A stream of JPEG images of low quality, because the emulator draws them fast. */
const events = Images.generateStream({ prompt, quality: "low", outputFormat: "jpeg", partialImages: 3 })

onClick(
  "generate",
  events.pipe(
    Stream.runForEach(({ _tag }) => say(_tag)),
    showReconnecting(status)
  )
)
onClick(
  "draw",
  events.pipe(
    ImageView.run({ target: image, status }),
    Effect.catchTag("GradientError", (error) => say(inWords(error)))
  )
)
onClick("store", generateAndStore(prompt).pipe(Effect.andThen(say("It is stored."))))

run(resume(image, status))
