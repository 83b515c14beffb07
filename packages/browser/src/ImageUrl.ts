/**
 * Makes URLs with which a page can show images.
 */
import type { GeneratedImage } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/**
 * Makes an object URL of the image, or a data URL if the platform has no `Blob`. The object URL is revoked when the
 * scope closes. Elements that have loaded the image by then still show it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (image: GeneratedImage.ImageBytes): Effect.Effect<string, never, Scope.Scope> => {
  const blob = image.toBlob()
  if (blob === undefined) return Effect.sync(() => image.toDataUrl())
  return Effect.acquireRelease(
    Effect.sync(() => URL.createObjectURL(blob)),
    (url) => Effect.sync(() => URL.revokeObjectURL(url))
  )
}
