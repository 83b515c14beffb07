/**
 * The pictures of this browser: each opens large, can be downloaded, and its settings can be used again. The newest one is
 * on the stage, with its facts under it. It joins the list when the next one begins, so that it is shown once.
 */
import { Effect, type Scope } from "effect"
import type { Picture } from "./album.ts"
import { element } from "./dom.ts"
import * as Form from "./form.ts"

const about = element("about", HTMLDivElement)
const list = element("gallery", HTMLOListElement)
const none = element("none", HTMLParagraphElement)
const template = element("entry", HTMLTemplateElement)
const large = element("large", HTMLDialogElement)
const largePicture = element("large-picture", HTMLImageElement)
const largeAbout = element("large-about", HTMLDivElement)

/** `a-cute-baby-sea-otter.png` */
const fileName = ({ extension, params }: Picture) => {
  const words = params.prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ["picture"]
  return `${words.join("-").slice(0, 60)}.${extension}`
}

const makeAbout = (picture: Picture, url: string) => {
  const made = document.importNode(template.content, true)
  const { facts, params } = picture
  for (const link of made.querySelectorAll("a")) {
    Object.assign(link, { href: url, download: fileName(picture), ariaLabel: `Download: ${params.prompt}` })
  }
  for (const button of made.querySelectorAll("button")) {
    button.ariaLabel = `Use these settings: ${params.prompt}`
    button.addEventListener("click", () => {
      large.close()
      Form.fill(params)
    })
  }
  made.querySelector(".prompt")?.append(params.prompt)
  made.querySelector(".facts")?.append(facts)
  return made
}

const showLarge = (picture: Picture, url: string) => {
  Object.assign(largePicture, { src: url, alt: picture.params.prompt })
  largeAbout.replaceChildren(makeAbout(picture, url))
  large.showModal()
}

const addToList = (picture: Picture, url: string) => {
  const item = document.createElement("li")
  const open = Object.assign(document.createElement("button"), {
    type: "button",
    className: "open",
    ariaLabel: `Open large: ${picture.params.prompt}`
  })
  open.append(Object.assign(new Image(), { src: url, alt: picture.params.prompt, loading: "lazy" }))
  open.addEventListener("click", () => showLarge(picture, url))
  item.append(open, makeAbout(picture, url))
  list.prepend(item)
  none.hidden = true
}

/** The URL lives as long as the page: the list shows it. */
const urlOf = ({ blob }: Picture) => URL.createObjectURL(blob)

/** Adds a picture that was kept by an earlier page. */
export const addKept = (picture: Picture): void => addToList(picture, urlOf(picture))

/** Puts the facts of a picture under the stage. When the scope closes, the picture moves to the list. */
export const add = (picture: Picture): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const url = urlOf(picture)
    return Effect.acquireRelease(
      Effect.sync(() => about.replaceChildren(makeAbout(picture, url))),
      () =>
        Effect.sync(() => {
          about.replaceChildren()
          addToList(picture, url)
        })
    )
  })

/** A click beside the picture closes it, as Escape does. */
large.addEventListener("click", ({ target }) => {
  if (target === large) large.close()
})
element("close", HTMLButtonElement).addEventListener("click", () => large.close())
