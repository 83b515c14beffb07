/**
 * The form for an image's params. Its fields have the names of the API's fields, so core's codec decodes the form into
 * params, and encodes params to fill it.
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

/** How many partial images each request asks for. */
const partialImages = 3

/** Waits until the user submits the form, and returns its params. */
export const submitted: Effect.Effect<Params> = Effect.map(next(form, "submit"), () => ({
  ...decode(Object.fromEntries(new FormData(form))),
  partialImages
}))

/** Fills the form with the params of an earlier image. */
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

/**
 * Disables JPEG while a transparent background is chosen, and the transparent background while JPEG is chosen, because
 * JPEG has no transparency.
 */
const keepPossible = () => {
  const jpeg = radio("output_format", "jpeg")
  const transparent = radio("background", "transparent")
  if (jpeg === null || transparent === null) return
  jpeg.disabled = transparent.checked
  transparent.disabled = jpeg.checked
}

/** Makes a blank prompt invalid. The attribute `required` accepts white space, which core refuses. */
const refuseBlank = () => {
  prompt.setCustomValidity(prompt.value.trim() === "" ? "Describe an image." : "")
}

/**
 * The most characters that a prompt may have: the gateway's default limit. The form counts UTF-16 code units, which can
 * be more than the code points that the gateway counts.
 */
const longest = 4000

const showLength = () => {
  const { length } = prompt.value
  counter.textContent = `${length.toLocaleString("en")} / ${longest.toLocaleString("en")}`
  counter.classList.toggle("over", length > longest)
  refuseBlank()
  if (length > longest) prompt.setCustomValidity(`Use at most ${longest.toLocaleString("en")} characters.`)
}

/** Sums up the chosen options beside the heading of the options, because the options themselves may be folded. */
const showChosen = () => {
  chosen.textContent = Array.from(form.querySelectorAll("input:checked"), (input) => input.parentElement?.textContent)
    .filter((label, index) => index === 0 || label !== "Auto")
    .join(", ")
}

/**
 * Whether the window is wide. In a narrow window the options are folded at first, because unfolded they would push the
 * image out of view.
 */
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
