import { ImageGenerateResponse, Images } from "@effect-gradient/core"
import { AtomicFile } from "@effect-gradient/node"
import { Effect, Schema } from "effect"

const encode = Schema.encodeEffect(Schema.fromJsonString(ImageGenerateResponse.Json))

/**
 * Generates an image, and writes the whole response to a file, as JSON with the API's names. If the process is killed, no
 * half-written file is left at `path`: an older file keeps its content until the new one is complete.
 */
export const drawAndKeep = (prompt: string, path: string) =>
  Images.generate({ prompt }).pipe(
    Effect.flatMap(encode),
    Effect.flatMap((json) => AtomicFile.replace(path, new TextEncoder().encode(json)))
  )
