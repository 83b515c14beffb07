/**
 * Shows a stream of images in a page. Each image is decoded before it replaces the previous one, so that nothing
 * flickers. A status text can describe the progress.
 */
import type { GradientClient, ImageGenStreamEvent } from "@effect-gradient/core"
import { type GeneratedImage, type GradientError, ImageStream } from "@effect-gradient/core"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ImageUrl from "./ImageUrl.ts"
import { type Event as ReconnectEvent, OnReconnect } from "./Reconnect.ts"

/**
 * The elements that show a stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The `img` or canvas that shows the images. In a worker, it is an `OffscreenCanvas`. */
  readonly target: HTMLImageElement | HTMLCanvasElement | OffscreenCanvas
  /**
   * An element for the status text. It gets the role `status`, so that screen readers announce the text. After a
   * failure it shows the error's message. To show another text, change the error with `Stream.mapError`.
   */
  readonly status?: HTMLElement | undefined
}

interface Size {
  readonly width: number
  readonly height: number
}

/** Decodes and shows one image. Returns its size in pixels. */
type Show = (image: GeneratedImage.ImageBytes) => Effect.Effect<Size, Cause.UnknownError>

const isElement = (target: Options["target"]): target is HTMLImageElement =>
  typeof HTMLImageElement !== "undefined" && target instanceof HTMLImageElement

/**
 * Shows images in an `img`, each by an object URL. The URL of an image is revoked when the next image is shown. The
 * last URL is revoked when `scope` closes.
 */
const showInElement = (target: HTMLImageElement, scope: Scope.Scope): Show => {
  let shown: Scope.Closeable | undefined
  target.decoding = "sync"
  return (image) =>
    Effect.gen(function* () {
      const next = yield* Scope.fork(scope)
      const url = yield* Scope.provide(ImageUrl.make(image), next)
      const decoded = new Image()
      decoded.src = url
      yield* Effect.tryPromise(() => decoded.decode()).pipe(Effect.onError(() => Scope.close(next, Exit.void)))
      target.src = url
      if (shown !== undefined) yield* Scope.close(shown, Exit.void)
      shown = next
      return { width: decoded.naturalWidth, height: decoded.naturalHeight }
    })
}

const showOnCanvas =
  (canvas: HTMLCanvasElement | OffscreenCanvas): Show =>
  (image) =>
    Effect.tryPromise(async () => {
      const blob = image.toBlob()
      if (blob === undefined) throw new TypeError("this platform has no Blob")
      const bitmap = await createImageBitmap(blob)
      const { height, width } = bitmap
      if (canvas.width !== width) canvas.width = width
      if (canvas.height !== height) canvas.height = height
      const context = canvas.getContext("2d")
      // Without `clearRect`, the previous image would show through a transparent image.
      context?.clearRect(0, 0, width, height)
      context?.drawImage(bitmap, 0, 0)
      bitmap.close()
      return { width, height }
    })

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

const textOf = (event: ImageGenStreamEvent.ImageGenStreamEvent, size: Size | undefined): string => {
  const seen = size === undefined ? "the image cannot be shown here" : `${size.width} by ${size.height} pixels`
  if (event._tag === "Completed") return `Done: ${seen}, ${megabytes(event.bytes.length)}`
  const { partialImageIndex, partialImages } = event
  // Some servers send more partial images than they were asked for.
  const isOneOfSeveral = partialImages !== undefined && partialImages > 1 && partialImageIndex < partialImages
  const of = isOneOfSeveral ? ` of ${partialImages}` : ""
  const more = size === undefined ? "" : ", and getting sharper"
  return `Partial image ${partialImageIndex + 1}${of}: ${seen}${more}`
}

const waiting = "Waiting for the first image"

const setText = (status: HTMLElement, text: string) =>
  Effect.sync(() => {
    status.textContent = text
  })

const whyRetrying = ({ _tag, status }: GradientError.GradientErrorReason): string => {
  if (_tag === "RateLimitError" || status === 503) return "The service is busy"
  if (_tag === "ConnectionError") return "The service cannot be reached"
  if (_tag === "RequestTimeoutError") return "The service took too long"
  if (_tag === "DisconnectedError") return "The connection broke"
  return "The service failed"
}

/**
 * Makes the call option `onRetry`, which shows the wait before a retry in this status element. During the wait, the
 * element shows a text such as "The service is busy: retrying in 30 s (attempt 2)".
 *
 * @example
 * ```ts
 * import { ImageView } from "@effect-gradient/browser"
 * import { Images } from "@effect-gradient/core"
 *
 * const draw = (prompt: string, target: HTMLImageElement, status: HTMLElement) =>
 *   Images.generateStream({ prompt, partialImages: 3 }, { onRetry: ImageView.onRetry(status) }).pipe(
 *     ImageView.run({ target, status })
 *   )
 * ```
 *
 * @category status
 * @since 0.1.0
 */
export const onRetry = (status: HTMLElement): ((event: GradientClient.RetryEvent) => Effect.Effect<void>) =>
  Effect.fnUntraced(function* ({ attempt, delay, reason }) {
    const seconds = Math.ceil(Duration.toSeconds(delay))
    yield* setText(status, `${whyRetrying(reason)}: retrying in ${seconds} s (attempt ${attempt + 1})`)
    // A child of the call's fiber changes the text when the wait is over. It does not delay the retry, and it ends when
    // the call is cancelled.
    yield* Effect.forkChild(Effect.delay(setText(status, waiting), delay))
  })

const reconnecting = ({ attempt, delay }: ReconnectEvent): string =>
  attempt === 1
    ? "The connection broke: reconnecting"
    : `The connection broke: reconnecting in ${Math.ceil(Duration.toSeconds(delay))} s (attempt ${attempt})`

/**
 * Shows the images of a stream and returns its last `Completed`. If the platform cannot decode an image, that image is
 * not shown, and the status text says so. The last `Completed` is returned even if its image is not shown, because it
 * was paid for.
 *
 * @category running
 * @since 0.1.0
 */
export const run =
  ({ status, target }: Options) =>
  <E, R>(
    events: Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, E, R>
  ): Effect.Effect<ImageGenStreamEvent.Completed, E | GradientError.GradientError, R | Scope.Scope> =>
    Effect.gen(function* () {
      const show = isElement(target) ? showInElement(target, yield* Effect.scope) : showOnCanvas(target)
      const say = (text: string) => (status === undefined ? Effect.void : setText(status, text))
      const busy = (value: boolean) => {
        if ("setAttribute" in target) target.setAttribute("aria-busy", String(value))
      }
      status?.setAttribute("role", "status")
      busy(true)
      yield* say(waiting)
      return yield* events.pipe(
        Stream.updateService(
          OnReconnect,
          (ambient) => (event: ReconnectEvent) => Effect.andThen(say(reconnecting(event)), ambient(event))
        ),
        ImageStream.tapProgress(({ event }) =>
          Effect.flatMap(
            Effect.orElseSucceed(show(event), () => undefined),
            (size) => say(textOf(event, size))
          )
        ),
        ImageStream.runCompleted,
        Effect.onExit((exit) =>
          Effect.suspend(() => {
            busy(false)
            if (Exit.isSuccess(exit)) return Effect.void
            return say(Cause.hasInterruptsOnly(exit.cause) ? "Cancelled" : failureText(exit.cause))
          })
        )
      )
    })

const failureText = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}
