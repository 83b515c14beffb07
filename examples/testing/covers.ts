/**
 * The application that the tests of this folder test. It makes book covers.
 */
import { ImageStream, Images } from "@effect-gradient/core"
import { Effect, Stream } from "effect"

const looks = { size: "1024x1536", outputFormat: "jpeg", outputCompression: 10 } as const

const promptOf = (title: string) => `The cover of a book called "${title}"`

/** Generates the cover of a book. If moderation refuses the title, it generates a cover of plain linen. */
export const cover = (title: string) =>
  Images.generate({ ...looks, prompt: promptOf(title) }).pipe(
    Effect.catchReason("GradientError", "ContentPolicyError", () =>
      Images.generate({ ...looks, prompt: "The cover of a book, plain linen" })
    ),
    Effect.map((response) => response.data[0])
  )

/**
 * Calls `show` with each image that arrives: the partial ones, then the final one. If the generation fails, the last
 * image that arrived becomes the cover; if none arrived, `watchCover` fails.
 */
export const watchCover = (title: string, show: (bytes: Uint8Array) => Effect.Effect<void>) =>
  Images.generateStream({ ...looks, prompt: promptOf(title), partialImages: 2 }).pipe(
    Stream.tap((event) => show(event.bytes)),
    ImageStream.runCompleted,
    Effect.catch((error) => {
      const sketch = error.reason.images.at(-1)
      return sketch === undefined ? Effect.fail(error) : Effect.succeed(sketch)
    })
  )
