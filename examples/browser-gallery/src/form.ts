/**
 * The form. Its fields have the names of the wire, so core's codec reads and fills it.
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import { Effect, Schema } from "effect"
import { element, next } from "./dom.ts"

type Params = ImageGenerateParams.ImageGenerateParamsStreaming

const form = element("form", HTMLFormElement)
const prompt = element("prompt", HTMLTextAreaElement)

const decode = Schema.decodeUnknownSync(ImageGenerateParams.Json)
const encode = Schema.encodeSync(ImageGenerateParams.Json)

/** Partial images on the way to the finished one. */
const partialImages = 3

/** The params of the next order. */
export const submitted: Effect.Effect<Params> = Effect.map(next(form, "submit"), () => ({
  ...decode(Object.fromEntries(new FormData(form))),
  partialImages
}))

/** Fills the form with the params of an earlier order. */
export const fill = (params: Params): void => {
  for (const [name, value] of Object.entries(encode(params))) {
    const field = form.elements.namedItem(name)
    if (field instanceof RadioNodeList || field instanceof HTMLTextAreaElement) field.value = String(value)
  }
  keepPossible()
  refuseBlank()
  prompt.focus()
}

const radio = (name: string, value: string): HTMLInputElement | null =>
  form.querySelector<HTMLInputElement>(`[name="${name}"][value="${value}"]`)

/** JPEG has no transparency, so one of the two cannot be chosen while the other is. */
const keepPossible = () => {
  const jpeg = radio("output_format", "jpeg")
  const transparent = radio("background", "transparent")
  if (jpeg === null || transparent === null) return
  jpeg.disabled = transparent.checked
  transparent.disabled = jpeg.checked
}

/** The attribute `required` is content with white space, which core refuses. */
const refuseBlank = () => {
  prompt.setCustomValidity(prompt.value.trim() === "" ? "Describe a picture." : "")
}

refuseBlank()
prompt.addEventListener("input", refuseBlank)
form.addEventListener("submit", (event) => event.preventDefault())
form.addEventListener("change", keepPossible)
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit()
})
