/**
 * Writes pictures so that none that was paid for is lost, whatever there is at its place.
 */
import type { GeneratedImage } from "@effect-gradient/core"
import { ImageFile } from "@effect-gradient/node"
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Not all pictures are at their place; `paths` are where they are. */
export class WriteError extends Schema.TaggedError<WriteError>("@effect-gradient/cli/WriteError")("WriteError", {
  problems: Schema.Array(Schema.String),
  paths: Schema.Array(Schema.String)
}) {
  override readonly [Runtime.errorExitCode] = 1

  override get message(): string {
    return [...this.problems, ...this.paths.map((path) => `Kept what had arrived: ${path}`)].join("\n")
  }
}

const why = ({ message, reason }: PlatformError) => {
  if (reason._tag === "AlreadyExists") return "it exists"
  return reason.cause instanceof Error ? reason.cause.message : message // The first has the words of the system.
}

/** Each at its place, else under a free name where the system keeps temporary files. */
export const save = <A extends GeneratedImage.ImageBytes>(
  images: ReadonlyArray<A>,
  placeOf: (image: A, index: number) => Effect.Effect<string>,
  overwrite = false
) =>
  Effect.gen(function* () {
    const written: Array<{ readonly image: A; readonly path: string }> = []
    const problems: Array<string> = []
    const write = (image: A, path: string, options?: ImageFile.WriteOptions) =>
      ImageFile.write(image, path, options).pipe(
        Effect.map((file) => void written.push({ image, path: file })),
        Effect.tapError((error) => Effect.sync(() => problems.push(`${path} could not be written: ${why(error)}`)))
      )
    for (const [index, image] of images.entries()) {
      const place = yield* placeOf(image, index)
      const spare = join(tmpdir(), `gradient-images-${randomUUID()}.${image.extension}`)
      yield* write(image, place, { overwrite }).pipe(
        Effect.catch(() => write(image, spare)),
        Effect.ignore // It is among the problems.
      )
    }
    return { written, problems }
  })
