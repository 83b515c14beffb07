/**
 * One call of the tool `generate_image`: requests the images, and writes the finished ones into the folder. If the call
 * fails, the images in its error are written too.
 */
import { type GeneratedImage, type ImageGenerateParams, Images } from "@effect-gradient/core"
import * as ImageTool from "@effect-gradient/core/ImageTool"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { memory, type Report } from "./sharedCalls.ts"
import type { ImageFolder } from "./ImageFolder.ts"

type Params = ImageGenerateParams.ImageGenerateParamsStreaming

/** The result of one call of the tool. */
export interface Generated {
  readonly images: ReadonlyArray<ImageTool.Reference>
  /** Images that could not be written to files. The result of the tool contains them, so that they are not lost. */
  readonly unwritten: ReadonlyArray<GeneratedImage.ImageBytes>
  /** What went wrong, in words for the language model. Empty if nothing went wrong. */
  readonly problems: ReadonlyArray<string>
  readonly mayHaveBeenCharged: boolean
}

/** Requests the images, as a stream if `partialImages` is set. */
const asking = (
  { partialImages, ...params }: Params,
  keep: (image: GeneratedImage.ImageBytes) => Effect.Effect<void>,
  report: Report
) =>
  partialImages === undefined
    ? Effect.flatMap(Images.generate(params), ({ data }) => Effect.forEach(data, keep, { discard: true }))
    : Stream.runForEach(Images.generateStream({ ...params, partialImages }), (event) =>
        event._tag === "Completed"
          ? keep(event)
          : report(`Partial image ${event.partialImageIndex + 1} of ${partialImages}`)
      )

const repeated = ` For ${Duration.format(memory)} a call with the same params gets this answer again. A call with other params can cost again.`

/**
 * Generates the images of one call of the tool. Never fails: what went wrong is in `problems`, and images that had
 * arrived are in the result too.
 */
export const generate = Effect.fnUntraced(function* (params: Params, folder: ImageFolder, report: Report) {
  const images: Array<ImageTool.Reference> = []
  const written = new Set<Uint8Array>()
  const unwritten: Array<GeneratedImage.ImageBytes> = []
  const problems: Array<string> = []
  const note = (problem: string) => Effect.sync(() => void problems.push(problem))
  const keep = (image: GeneratedImage.ImageBytes) => {
    if (written.has(image.bytes)) return Effect.void // An error can contain images that arrived before it.
    written.add(image.bytes)
    return folder.write(params.prompt, image).pipe(
      Effect.map((path) => void images.push(ImageTool.toReference(image, path))),
      Effect.tapError(({ problem }) => Effect.logError("An image could not be written to a file", problem)),
      Effect.catch(({ problem }) => {
        unwritten.push(image)
        return note(`${problem}. This result includes the image: tell the user to save it from here.`)
      })
    )
  }
  const generated = (mayHaveBeenCharged: boolean): Generated => ({ images, unwritten, problems, mayHaveBeenCharged })

  const usable = yield* Effect.result(folder.check)
  if (Result.isFailure(usable)) {
    yield* note(`${usable.failure.problem}. Nothing was sent: tell the user.`)
    return generated(false)
  }
  const asked = yield* Effect.result(asking(params, keep, report))
  if (Result.isSuccess(asked)) return generated(true)
  const { mayHaveBeenCharged } = asked.failure
  yield* note(`${ImageTool.explain(asked.failure)}${mayHaveBeenCharged ? repeated : ""}`)
  yield* Effect.forEach(asked.failure.reason.images, keep, { discard: true })
  return generated(mayHaveBeenCharged)
})
