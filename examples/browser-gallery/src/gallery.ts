/**
 * The pictures of this session, newest first, each with what it took, to download or to start from again.
 */
import { ImageUrl } from "@effect-gradient/browser"
import type { ImageGenerateParams, ImageGenStreamEvent } from "@effect-gradient/core"
import { Duration, Effect, type Scope } from "effect"
import { element } from "./dom.ts"
import * as Form from "./form.ts"

/** One picture. */
export interface Entry {
  readonly params: ImageGenerateParams.ImageGenerateParamsStreaming
  readonly image: ImageGenStreamEvent.Completed
  /** From the click to the last picture. */
  readonly took: Duration.Duration
}

const list = element("gallery", HTMLOListElement)
const none = element("none", HTMLParagraphElement)
const template = element("entry", HTMLTemplateElement)

/** `a-cute-baby-sea-otter.png` */
const fileName = ({ image, params }: Entry) => {
  const words = params.prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ["picture"]
  return `${words.join("-").slice(0, 60)}.${image.extension}`
}

const facts = ({ image, took }: Entry) =>
  [
    image.usage && `${image.usage.totalTokens.toLocaleString("en")} tokens`,
    `${Duration.toSeconds(took).toFixed(1)} s`,
    `${image.size?.replace("x", " × ") ?? ""} ${image.extension.toUpperCase()}`.trim()
  ]
    .filter((fact) => fact !== undefined)
    .map((fact) => fact.replaceAll(" ", "\u00a0"))
    .join(" · ")

/** Puts the picture first. Its URL lives as long as the scope. */
export const add = (entry: Entry): Effect.Effect<void, never, Scope.Scope> =>
  Effect.map(ImageUrl.make(entry.image), (url) => {
    const item = document.importNode(template.content, true)
    const { params } = entry
    const { prompt } = params
    for (const image of item.querySelectorAll("img")) Object.assign(image, { src: url, alt: prompt })
    for (const link of item.querySelectorAll("a")) {
      Object.assign(link, { href: url, download: fileName(entry), ariaLabel: `Download: ${prompt}` })
    }
    for (const button of item.querySelectorAll("button")) {
      button.ariaLabel = `Start from it: ${prompt}`
      button.addEventListener("click", () => Form.fill(params))
    }
    item.querySelector(".prompt")?.append(prompt)
    item.querySelector(".facts")?.append(facts(entry))
    list.prepend(item)
    none.hidden = true
  })
