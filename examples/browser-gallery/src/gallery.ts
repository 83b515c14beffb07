/**
 * The pictures of this session: each can be downloaded, and its params can be used again. The newest one is on the stage,
 * with its facts under it. It joins the list when the next one begins, so that it is shown once.
 */
import { ImageUrl } from "@effect-gradient/browser"
import type { ImageGenerateParams, ImageGenStreamEvent } from "@effect-gradient/core"
import { Duration, Effect, Scope } from "effect"
import { element } from "./dom.ts"
import * as Form from "./form.ts"

/** One picture. */
export interface Entry {
  readonly params: ImageGenerateParams.ImageGenerateParamsStreaming
  readonly image: ImageGenStreamEvent.Completed
  /** From the click to the last picture. */
  readonly took: Duration.Duration
}

const about = element("about", HTMLDivElement)
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

const makeAbout = (entry: Entry, url: string) => {
  const made = document.importNode(template.content, true)
  const { params } = entry
  for (const link of made.querySelectorAll("a")) {
    Object.assign(link, { href: url, download: fileName(entry), ariaLabel: `Download: ${params.prompt}` })
  }
  for (const button of made.querySelectorAll("button")) {
    button.ariaLabel = `Start from it: ${params.prompt}`
    button.addEventListener("click", () => Form.fill(params))
  }
  made.querySelector(".prompt")?.append(params.prompt)
  made.querySelector(".facts")?.append(facts(entry))
  return made
}

const moveToList = ({ params }: Entry, url: string) => {
  const item = document.createElement("li")
  item.append(Object.assign(new Image(), { src: url, alt: params.prompt }), ...about.childNodes)
  list.prepend(item)
  none.hidden = true
}

/** Puts the facts of a picture under the stage. When the scope closes, the picture moves to the list, for the session. */
export const add = (entry: Entry, session: Scope.Scope): Effect.Effect<void, never, Scope.Scope> =>
  Effect.flatMap(Scope.provide(ImageUrl.make(entry.image), session), (url) =>
    Effect.acquireRelease(
      Effect.sync(() => about.replaceChildren(makeAbout(entry, url))),
      () => Effect.sync(() => moveToList(entry, url))
    )
  )
