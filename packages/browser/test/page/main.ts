/**
 * The page that the tests open. It shows streams, records what is shown, and passes a canvas to a worker.
 */
import { BrowserImages, ImageUrl, ImageView } from "@effect-gradient/browser"
import { type GradientClient, type ImageGenerateParams, Images, ImageGenStreamEvent } from "@effect-gradient/core"
import { TestImages } from "@effect-gradient/core/testing"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"

const element = <E extends HTMLElement>(id: string, type: new () => E): E => {
  const found = document.getElementById(id)
  if (found instanceof type) return found
  throw new TypeError(`no ${id}`)
}

const status = element("status", HTMLParagraphElement)
const img = element("img", HTMLImageElement)
const targets = { img, canvas: element("canvas", HTMLCanvasElement) }
const images = BrowserImages.layer({ baseUrl: `${location.origin}/v1` })

const said: Array<string> = []
new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true })

/**
 * The states of the `img` element in their order. A state is recorded if it differs from the one before. They are
 * recorded at each change of its source and, from the first change on, in each frame.
 */
const seen: Array<string> = []
const look = () => {
  const { complete, naturalHeight, naturalWidth } = img
  const canvas = new OffscreenCanvas(1, 1)
  const context = canvas.getContext("2d")
  context?.drawImage(img, 0, 0, 1, 1)
  const alpha = context?.getImageData(0, 0, 1, 1).data[3]
  const frame = `${complete ? "complete" : "loading"} ${naturalWidth}x${naturalHeight} alpha ${alpha}`
  if (seen.at(-1) !== frame) seen.push(frame)
}
const lookInEachFrame = () => {
  look()
  requestAnimationFrame(lookInEachFrame)
}
new MutationObserver(() => {
  if (seen.length === 0) lookInEachFrame()
  else look()
}).observe(img, { attributeFilter: ["src"] })

type Events = Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, Error, Images.Images>

/** Shows one stream, and returns functions that wait for its end, cancel it, or close its scope. */
const show = (id: keyof typeof targets, events: Events) => {
  const scope = Scope.makeUnsafe()
  const fiber = events.pipe(
    ImageView.run({ target: targets[id], status }),
    Effect.map(({ bytes }) => `${bytes.length} bytes`),
    Effect.catch(({ message }) => Effect.succeed(message)),
    Scope.provide(scope),
    Effect.provide(images),
    Effect.runFork
  )
  return {
    ended: () => Effect.runPromise(Fiber.join(fiber)),
    cancel: () => Effect.runPromise(Fiber.interrupt(fiber)),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const completed = new ImageGenStreamEvent.Completed({ bytes: TestImages.png })

/**
 * The size of an image or canvas in pixels, and the colour of one of its pixels, as red, green, blue and alpha. `part`
 * is where the pixel is, as a part of the width and of the height: 0 is the first pixel, 1 / 2 the middle.
 */
const colourAt = (source: HTMLImageElement | HTMLCanvasElement, part: number) => {
  const canvas = new OffscreenCanvas(1, 1)
  const context = canvas.getContext("2d")
  const { naturalHeight: height, naturalWidth: width } =
    source instanceof HTMLImageElement ? source : { naturalWidth: source.width, naturalHeight: source.height }
  context?.drawImage(source, width * part, height * part, 1, 1, 0, 0, 1, 1)
  return `${width}x${height} ${context?.getImageData(0, 0, 1, 1).data.join(" ")}`
}

/** Passes the canvas to a worker, which draws an image on it. Returns the worker's message. */
const drawInWorker = (params: ImageGenerateParams.ImageGenerateParamsStreaming) =>
  new Promise((resolve, reject) => {
    const worker = new Worker("/worker.js", { type: "module" })
    worker.addEventListener("error", ({ message }) => reject(new Error(message)))
    worker.addEventListener("message", ({ data }) => resolve(data))
    const canvas = element("offscreen", HTMLCanvasElement).transferControlToOffscreen()
    worker.postMessage({ canvas, params }, [canvas])
  })

/** Fetches the object URL of an image while the scope of the URL is open, and again after the scope has closed. */
const fetchUrl = async () => {
  const scope = Scope.makeUnsafe()
  const url = await Effect.runPromise(Scope.provide(ImageUrl.make(completed), scope))
  const reply = await fetch(url)
  const open = `${reply.headers.get("content-type")} ${(await reply.arrayBuffer()).byteLength}`
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return [open, await isLive(url)] as const
}

const isLive = (url: string) =>
  fetch(url).then(
    () => true,
    () => false
  )

const page = {
  said,
  seen,
  generate: (
    id: keyof typeof targets,
    params: ImageGenerateParams.ImageGenerateParamsStreaming,
    options?: GradientClient.RequestOptions
  ) => show(id, Images.generateStream(params, { onRetry: ImageView.onRetry(status), ...options })),
  /** Shows an image that can be decoded, then one that cannot. */
  showBroken: (id: keyof typeof targets) =>
    show(id, Stream.fromIterable(TestImages.makeEvents(TestImages.png, new Uint8Array(100)))),
  isBusy: (id: keyof typeof targets) => targets[id].ariaBusy,
  source: () => img.src,
  isLive,
  colourOf: (id: keyof typeof targets | "offscreen") =>
    colourAt(id === "offscreen" ? element("offscreen", HTMLCanvasElement) : targets[id], 1 / 2),
  /** The size of the element, and the colour of its first pixel. */
  cornerOf: (id: keyof typeof targets) => colourAt(targets[id], 0),
  drawInWorker,
  fetchUrl
}

/** The functions and records of the page that the tests use. */
export type TestPage = typeof page

declare global {
  var testPage: TestPage
}

globalThis.testPage = page
