/** The application that is tested here: covers for books. */
import { ImageStream, Images } from "@effect-gradient/core"
import { Effect, Stream } from "effect"

const looks = { size: "1024x1536", outputFormat: "jpeg", outputCompression: 10 } as const

const promptOf = (title: string) => `The cover of a book called "${title}"`

/** A cover; plain linen for a book whose title moderation refuses. */
export const cover = (title: string) =>
  Images.generate({ ...looks, prompt: promptOf(title) }).pipe(
    Effect.catchReason("GradientError", "ContentPolicyError", () =>
      Images.generate({ ...looks, prompt: "The cover of a book, plain linen" })
    ),
    Effect.map((response) => response.data[0])
  )

/** A cover that the reader watches: each sketch is shown, and the last one stays if nothing better comes. */
export const watchCover = (title: string, show: (picture: Uint8Array) => Effect.Effect<void>) =>
  Images.generateStream({ ...looks, prompt: promptOf(title), partialImages: 2 }).pipe(
    Stream.tap((event) => show(event.bytes)),
    ImageStream.runCompleted,
    Effect.catch((error) => {
      const sketch = error.reason.images.at(-1)
      return sketch === undefined ? Effect.fail(error) : Effect.succeed(sketch)
    })
  )
