/**
 * Images as URLs that a page can show.
 */
import type { GeneratedImage } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/**
 * An object URL of the image, revoked when the scope closes. An element that has loaded it by then still shows it.
 *
 * @category constructors
 */
export const make = (image: GeneratedImage.ImageBytes): Effect.Effect<string, never, Scope.Scope> => {
  const blob = image.toBlob()
  if (blob === undefined) return Effect.sync(() => image.toDataUrl())
  return Effect.acquireRelease(
    Effect.sync(() => URL.createObjectURL(blob)),
    (url) => Effect.sync(() => URL.revokeObjectURL(url))
  )
}
