import { ImageUrl } from "@effect-gradient/browser"
import { Images } from "@effect-gradient/core"
import { Effect } from "effect"

/**
 * Generates an image, and shows it in an `img`. When the scope closes, the object URL of the image is revoked, so that the
 * browser can free the image's memory.
 */
export const show = (img: HTMLImageElement, prompt: string) =>
  Effect.gen(function* () {
    const { data } = yield* Images.generate({ prompt })
    img.src = yield* ImageUrl.make(data[0])
  })
