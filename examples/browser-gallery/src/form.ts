/**
 * The form. Its fields have the names of the wire, so core's codec reads and fills it.
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import { Effect, Schema } from "effect"
import { element, next } from "./dom.ts"

type Params = ImageGenerateParams.ImageGenerateParamsStreaming

const form = element("form", HTMLFormElement)
const prompt = element("prompt", HTMLTextAreaElement)
const counter = element("counter", HTMLSpanElement)
const options = element("options", HTMLDetailsElement)
const chosen = element("chosen", HTMLSpanElement)

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
  showLength()
  showChosen()
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

/** The attribute `required` accepts white space, which core refuses. */
const refuseBlank = () => {
  prompt.setCustomValidity(prompt.value.trim() === "" ? "Describe an image." : "")
}

/** The gateway's default limit of characters. The gateway counts them in the same way. */
const longest = 4000

const showLength = () => {
  const { length } = prompt.value
  counter.textContent = `${length.toLocaleString("en")} / ${longest.toLocaleString("en")}`
  counter.classList.toggle("over", length > longest)
  refuseBlank()
  if (length > longest) prompt.setCustomValidity(`Use at most ${longest.toLocaleString("en")} characters.`)
}

/** Shows the chosen options beside the heading of the folded form. */
const showChosen = () => {
  chosen.textContent = Array.from(form.querySelectorAll("input:checked"), (input) => input.parentElement?.textContent)
    .filter((label, index) => index === 0 || label !== "Auto")
    .join(", ")
}

/** The options are folded if they would push the image out of view. */
const isWide = matchMedia("(width >= 60rem)")
const fold = () => {
  options.open = isWide.matches
}

showLength()
showChosen()
fold()
isWide.addEventListener("change", fold)
prompt.addEventListener("input", showLength)
form.addEventListener("submit", (event) => event.preventDefault())
form.addEventListener("change", () => {
  keepPossible()
  showChosen()
})
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit()
})
