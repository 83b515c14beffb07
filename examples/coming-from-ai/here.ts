import { Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Redacted } from "effect"

const layer = NodeImages.layer({ modelAccessKey: Redacted.make("the key") })

/** Requests two images in one request, and returns their bytes. */
export const draw = (prompt: string): Promise<ReadonlyArray<Uint8Array>> =>
  Images.generate({ prompt, n: 2 }).pipe(
    Effect.map((response) => response.data.map((image) => image.bytes)),
    Effect.provide(layer),
    Effect.runPromise
  )
