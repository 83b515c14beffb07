/** Writes images to files, with `AtomicFile`. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import type { GeneratedImage, ImageGenStreamEvent } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as PlatformError from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { extname } from "node:path"
import * as AtomicFile from "./AtomicFile.ts"

/**
 * Options for writing a file.
 *
 * @category models
 * @since 0.1.0
 */
export interface WriteOptions {
  /**
   * Whether to replace an existing file. Its mode is kept. If false, and the file exists, the next free name is used.
   * Default: false.
   */
  readonly overwrite?: boolean | undefined
}

const platform = Layer.merge(NodeFileSystem.layer, NodePath.layer)

/** The longest file name that most file systems allow, in bytes. */
const longestName = 255

/** Returns the longest prefix of `text` that fits into this many bytes. */
const fitting = (text: string, bytes: number): string => {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(Math.max(0, bytes)))
  return text.slice(0, read)
}

/** Yields the further names for a file: `otter-2.png`, `otter-3.png` and so on, if `path` is `otter.png`. */
function* numbered(path: string): Generator<string> {
  const extension = extname(path)
  const slash = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"))
  const folder = path.slice(0, slash + 1)
  const name = path.slice(slash + 1, path.length - extension.length)
  for (let number = 2; number <= 10_000; number++) {
    const end = `-${number}${extension}`
    yield `${folder}${fitting(name, longestName - Buffer.byteLength(end))}${end}`
  }
}

const withExtension = (path: string, image: GeneratedImage.ImageBytes) =>
  extname(path) === "" ? `${path}.${image.extension}` : path

/**
 * Writes an image and returns the path of its file. If `path` has no extension, the extension of the image's format is
 * added. If the file exists, the next free name is used (`otter-2.png`), because the image is paid for; with
 * `overwrite: true`, the file is replaced. Creates missing folders.
 *
 * @category writing
 * @since 0.1.0
 */
export const write = (
  image: GeneratedImage.ImageBytes,
  path: string,
  options: WriteOptions = {}
): Effect.Effect<string, PlatformError.PlatformError> => {
  const target = withExtension(path, image)
  const writing =
    options.overwrite === true
      ? AtomicFile.replace(target, image.bytes)
      : AtomicFile.create(target, image.bytes, numbered(target))
  return writing.pipe(Effect.withSpan("ImageFile.write"), Effect.provide(platform))
}

/**
 * Writes each image of a stream to the same file, so that the file always has the latest image. Emits each event with
 * the path of the file. The path is chosen for the first image, as `write` does. If `path` has no extension, each
 * format gets its own file.
 *
 * @category writing
 * @since 0.1.0
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
    Stream.suspend(() => {
      /**
       * The path that was written for each requested path. There are several only if `path` has no extension and the
       * images have different formats.
       */
      const files = new Map<string, string>()
      return Stream.mapEffect(events, (event) => {
        const target = withExtension(path, event)
        const file = files.get(target)
        const writing = file === undefined ? write(event, target, options) : write(event, file, { overwrite: true })
        return Effect.map(writing, (written) => {
          files.set(target, written)
          return { event, path: written }
        })
      })
    })
