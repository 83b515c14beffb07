/**
 * Images as files. A file appears whole or not at all: it is written under another name and renamed.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import type { GeneratedImage, ImageGenStreamEvent } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as PlatformError from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import { extname } from "node:path"

/**
 * Options of a file.
 *
 * @category models
 */
export interface WriteOptions {
  /** Replace a file that is there. Default: false, and an `AlreadyExists` error. */
  readonly overwrite?: boolean | undefined
}

const platform = Layer.merge(NodeFileSystem.layer, NodePath.layer)

/** Puts the temporary file in its place; without `overwrite` only where nothing is. */
const putInPlace = Effect.fnUntraced(function* (temporary: string, path: string, overwrite: boolean) {
  const fs = yield* FileSystem.FileSystem
  if (overwrite) return yield* fs.rename(temporary, path)
  // A hard link is never made over a file, so nothing that appears meanwhile is lost; some disks have none.
  yield* fs.link(temporary, path).pipe(
    Effect.andThen(fs.remove(temporary)),
    Effect.catchIf(
      ({ reason }) => reason._tag !== "AlreadyExists",
      () => fs.rename(temporary, path)
    )
  )
})

/** Fails where a file is and may not be replaced. */
const refuseExisting = Effect.fnUntraced(function* (target: string, { overwrite = false }: WriteOptions) {
  const fs = yield* FileSystem.FileSystem
  if (overwrite || !(yield* fs.exists(target))) return
  yield* PlatformError.systemError({
    _tag: "AlreadyExists",
    module: "ImageFile",
    method: "write",
    pathOrDescriptor: target,
    description: "The file exists; pass { overwrite: true } to replace it"
  })
})

const writeFile = Effect.fnUntraced(function* (image: GeneratedImage.ImageBytes, path: string, options: WriteOptions) {
  const fs = yield* FileSystem.FileSystem
  const { dirname, join } = yield* Path.Path
  const target = extname(path) === "" ? `${path}.${image.extension}` : path
  yield* refuseExisting(target, options)
  yield* fs.makeDirectory(dirname(target), { recursive: true })
  const temporary = join(dirname(target), `.${randomUUID()}.tmp`) // Short, whatever the name of the target.
  yield* fs.writeFile(temporary, image.bytes).pipe(
    Effect.andThen(putInPlace(temporary, target, options.overwrite ?? false)),
    Effect.onError(() => Effect.ignore(fs.remove(temporary, { force: true })))
  )
  return target
})

/**
 * Writes an image and gives the path of its file: with the extension of its format where `path` has none, in folders
 * that are made where they are missing.
 *
 * @category writing
 */
export const write = (
  image: GeneratedImage.ImageBytes,
  path: string,
  options: WriteOptions = {}
): Effect.Effect<string, PlatformError.PlatformError> =>
  writeFile(image, path, options).pipe(Effect.withSpan("ImageFile.write"), Effect.provide(platform))

/**
 * Runs a stream into a file that always holds the latest picture, and gives each event with the path of the file. Where
 * `path` has an extension, a file that is there fails it before anything is asked for.
 *
 * @category writing
 */
export const writeLatest =
  (path: string, options: WriteOptions = {}) =>
  <E, R>(
    events: Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, E, R>
  ): Stream.Stream<
    { readonly event: ImageGenStreamEvent.ImageGenStreamEvent; readonly path: string },
    E | PlatformError.PlatformError,
    R
  > =>
    events.pipe(
      Stream.onStart(extname(path) === "" ? Effect.void : Effect.provide(refuseExisting(path, options), platform)),
      Stream.mapAccumEffect(
        () => options.overwrite ?? false,
        (overwrite, event) =>
          Effect.map(write(event, path, { overwrite }), (written) => [true, [{ event, path: written }]] as const)
      )
    )
