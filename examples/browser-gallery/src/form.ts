/**
 * The form, whose fields have the names of the wire: core's own codec reads it and writes it.
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import { Effect, Schema } from "effect"
import { element, next } from "./dom.ts"

type Params = ImageGenerateParams.ImageGenerateParamsStreaming

const form = element("form", HTMLFormElement)
const prompt = element("prompt", HTMLTextAreaElement)

const decode = Schema.decodeUnknownSync(ImageGenerateParams.Json)
const encode = Schema.encodeSync(ImageGenerateParams.Json)

/** Pictures that come on the way to the last one. */
export const partialImages = 3

/** What is asked for, the next time that someone asks. */
export const submitted: Effect.Effect<Params> = Effect.map(next(form, "submit"), () => ({
  ...decode(Object.fromEntries(new FormData(form))),
  partialImages
}))

/** Fills the form with what was asked for before. */
export const fill = (params: Params): void => {
  for (const [name, value] of Object.entries(encode(params))) {
    const field = form.elements.namedItem(name)
    if (field instanceof RadioNodeList || field instanceof HTMLTextAreaElement) field.value = String(value)
  }
  keepPossible()
  prompt.focus()
}

const radio = (name: string, value: string): HTMLInputElement | null =>
  form.querySelector<HTMLInputElement>(`[name="${name}"][value="${value}"]`)

/** JPEG has no transparency: what cannot go together cannot be chosen together. */
const keepPossible = () => {
  const jpeg = radio("output_format", "jpeg")
  const transparent = radio("background", "transparent")
  if (jpeg === null || transparent === null) return
  jpeg.disabled = transparent.checked
  transparent.disabled = jpeg.checked
}

form.addEventListener("submit", (event) => event.preventDefault())
form.addEventListener("change", keepPossible)
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit()
})
