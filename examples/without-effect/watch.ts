import { Images } from "@effect-gradient/core"
import { Stream } from "effect"
import { images } from "./images.ts"

/** Returns the images as they arrive, for a `for await` loop. Leaving the loop cancels the request. */
export const watch = async (prompt: string) =>
  Stream.toAsyncIterableWith(Images.generateStream({ prompt, partialImages: 3 }), await images.context())
