import { ImageUrl } from "@effect-gradient/browser"
import { Images } from "@effect-gradient/core"
import { Effect } from "effect"

/** Shows an image in an `img` until the scope closes, which frees the memory of its object URL. */
export const show = (img: HTMLImageElement, prompt: string) =>
  Effect.gen(function* () {
    const { data } = yield* Images.generate({ prompt })
    img.src = yield* ImageUrl.make(data[0])
  })
