/**
 * Shows the finished images. The facts of an image that this page has just drawn are below it. When the next image
 * begins, the finished one moves to the list, where all earlier images are. A click on an image in the list shows it
 * large, with a download link and a button that puts its settings into the form.
 */
import { Effect, type Scope } from "effect"
import type { AlbumImage } from "./album.ts"
import { element } from "./dom.ts"
import * as Form from "./form.ts"

const about = element("about", HTMLDivElement)
const list = element("gallery", HTMLOListElement)
const none = element("none", HTMLParagraphElement)
const template = element("entry", HTMLTemplateElement)
const large = element("large", HTMLDialogElement)
const largeImage = element("large-image", HTMLImageElement)
const largeAbout = element("large-about", HTMLDivElement)

/** The name of the file to download, such as `a-cute-baby-sea-otter.png`. */
const fileName = ({ extension, params }: AlbumImage) => {
  const words = params.prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ["image"]
  return `${words.join("-").slice(0, 60)}.${extension}`
}

const makeAbout = (image: AlbumImage, url: string) => {
  const made = document.importNode(template.content, true)
  const { facts, params } = image
  for (const link of made.querySelectorAll("a")) {
    Object.assign(link, { href: url, download: fileName(image), ariaLabel: `Download: ${params.prompt}` })
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

const showLarge = (image: AlbumImage, url: string) => {
  Object.assign(largeImage, { src: url, alt: image.params.prompt })
  largeAbout.replaceChildren(makeAbout(image, url))
  large.showModal()
}

const addToList = (image: AlbumImage, url: string) => {
  const item = document.createElement("li")
  const open = Object.assign(document.createElement("button"), {
    type: "button",
    className: "open",
    ariaLabel: `Open large: ${image.params.prompt}`
  })
  open.append(Object.assign(new Image(), { src: url, alt: image.params.prompt, loading: "lazy" }))
  open.addEventListener("click", () => showLarge(image, url))
  item.append(
    open,
    Object.assign(document.createElement("p"), { className: "prompt", textContent: image.params.prompt })
  )
  list.prepend(item)
  none.hidden = true
}

/**
 * Makes an object URL of the image. It is never revoked, because the list shows the image as long as the page is open.
 */
const urlOf = ({ blob }: AlbumImage) => URL.createObjectURL(blob)

/** Adds to the list an image that an earlier page stored. */
export const addKept = (image: AlbumImage): void => addToList(image, urlOf(image))

/** Shows the facts of the image on the stage below it. When the scope closes, the image moves to the list. */
export const add = (image: AlbumImage): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const url = urlOf(image)
    return Effect.acquireRelease(
      Effect.sync(() => about.replaceChildren(makeAbout(image, url))),
      () =>
        Effect.sync(() => {
          about.replaceChildren()
          addToList(image, url)
        })
    )
  })

/** Closes the large image if the user clicks beside it. Escape closes it without any code. */
large.addEventListener("click", ({ target }) => {
  if (target === large) large.close()
})
element("close", HTMLButtonElement).addEventListener("click", () => large.close())
