/** Writes images. If an image cannot be written to its target, another place is tried, because it may be paid for. */
import type { GeneratedImage } from "@effect-gradient/core"
import { ImageFile } from "@effect-gradient/node"
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Target } from "./targets.ts"

/**
 * At least one image could not be written to its target. `paths` has the path of every image that was written, at its
 * target or elsewhere; `-` is standard output.
 */
export class WriteError extends Schema.TaggedError<WriteError>("@effect-gradient/cli/WriteError")("WriteError", {
  problems: Schema.Array(Schema.String),
  paths: Schema.Array(Schema.String)
}) {
  override readonly [Runtime.errorExitCode] = 1

  override get message(): string {
    return [...this.problems, ...this.paths.map((path) => `Saved an image that had arrived: ${path}`)].join("\n")
  }
}

/** Returns the operating system's own message if there is one, else the message of the error. */
const why = ({ message, reason }: PlatformError) => (reason.cause instanceof Error ? reason.cause.message : message)

/**
 * Writes each image to its target, or, if that fails, to a new file in the system's folder for temporary files. Each
 * failure is in `problems`.
 */
export const save = Effect.fnUntraced(function* <A extends GeneratedImage.ImageBytes>(
  images: ReadonlyArray<A>,
  { nameOf, put }: Target
) {
  const written: Array<{ readonly image: A; readonly path: string }> = []
  const problems: Array<string> = []
  const attempt = (image: A, name: string, writing: Effect.Effect<string, PlatformError>) =>
    writing.pipe(
      Effect.map((path) => void written.push({ image, path })),
      Effect.tapError((error) => Effect.sync(() => problems.push(`${name} could not be written: ${why(error)}`)))
    )
  for (const [index, image] of images.entries()) {
    const spare = join(tmpdir(), `gradient-images-${randomUUID()}.${image.extension}`)
    yield* attempt(image, nameOf(image, index), put(image, index)).pipe(
      Effect.catch(() => attempt(image, spare, ImageFile.write(image, spare))),
      Effect.ignore // The message is in `problems`.
    )
  }
  return { written, problems }
})
