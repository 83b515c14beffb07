/**
 * The folder that keeps the images of `gradient-images mcp`. No file outside of the folder is written or read, even if
 * an agent names one or a link in the folder leads to one.
 */
import { GeneratedImage } from "@effect-gradient/core"
import { ImageFile } from "@effect-gradient/node"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { slug } from "../generate/destination.ts"

/** The folder or an image cannot be used. Once the server runs, `problem` is sent to the host. */
export class ImageFolderError extends Schema.TaggedError<ImageFolderError>("@effect-gradient/cli/ImageFolderError")(
  "ImageFolderError",
  { problem: Schema.String }
) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return this.problem
  }
}

/** A file in the folder: its path, its size in bytes, and when it was last modified. */
export interface Listed {
  readonly path: string
  readonly bytes: number
  readonly modified: Date
}

/** The maximum size, in bytes, of a file that `read` accepts. */
const mostBytes = 100_000_000

const why = ({ message, reason }: PlatformError) => (reason.cause instanceof Error ? reason.cause.message : message)

const failing = (problem: string) => (error: PlatformError) =>
  new ImageFolderError({ problem: `${problem}: ${why(error)}` })

const isImageName = (name: string) => /\.(?:png|webp|jpe?g|bin)$/i.test(name) && !name.startsWith(".")

/** Opens the folder, and makes it if it does not exist. */
export const open = Effect.fnUntraced(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  const { basename, dirname, join, resolve } = yield* Path.Path

  /**
   * Makes the folder if it does not exist, and returns its path with all links resolved. Fails if the folder is not
   * writable.
   */
  const make = fs
    .makeDirectory(folder, { recursive: true })
    .pipe(
      Effect.andThen(fs.access(folder, { writable: true })),
      Effect.andThen(fs.realPath(folder)),
      Effect.mapError(failing(`The folder ${folder} cannot be used`))
    )
  const root = yield* make

  /**
   * Makes the folder again if it was removed. Fails if it is not writable, or if the path now leads to another folder,
   * for example through a link.
   */
  const check = Effect.filterOrFail(
    make,
    (path) => path === root,
    () => new ImageFolderError({ problem: `The path ${folder} leads to another folder than when the server started` })
  )

  const write = (prompt: string, image: GeneratedImage.ImageBytes) =>
    Effect.andThen(
      check,
      Effect.mapError(ImageFile.write(image, join(root, slug(prompt))), failing("The image could not be written"))
    )

  const outside = (name: string) =>
    new ImageFolderError({
      problem: `${name} is not directly in the folder ${root}, or is a link to somewhere else. See list_images.`
    })

  /** Returns the path of an image, with links resolved. Fails if that path is not directly in the folder. */
  const pathOf = Effect.fnUntraced(function* (name: string) {
    const path = resolve(root, name)
    if (dirname(path) !== root) return yield* outside(name)
    const real = yield* Effect.mapError(
      fs.realPath(path),
      () => new ImageFolderError({ problem: `There is no image ${basename(path)} in ${root}. See list_images.` })
    )
    return dirname(real) === root ? real : yield* outside(name)
  })

  const statOf = Effect.fnUntraced(function* (path: string) {
    const { mtime, size, type } = yield* fs.stat(path)
    const listed: Listed = { path, bytes: Number(size), modified: Option.getOrElse(mtime, () => new Date(0)) }
    return type === "File" ? Option.some(listed) : Option.none()
  })

  const notAnImage = (name: string) =>
    new ImageFolderError({ problem: `${name} is not a PNG, WebP or JPEG image, or is larger than 100 MB.` })

  const read = Effect.fnUntraced(function* (name: string) {
    const path = yield* pathOf(name)
    const failingToRead = failing(`${name} cannot be read`)
    const stat = yield* Effect.mapError(statOf(path), failingToRead)
    if (Option.isNone(stat) || stat.value.bytes > mostBytes) return yield* notAnImage(name)
    const bytes = yield* Effect.mapError(fs.readFile(path), failingToRead)
    const image = new GeneratedImage.ImageBytes({ bytes })
    return image.extension === "bin" ? yield* notAnImage(name) : { path, image }
  })

  /** Returns nothing for what is not a file, for a file that was just removed, and for a link out of the folder. */
  const listedOf = (name: string) => Effect.option(Effect.flatMap(pathOf(name), statOf))

  /** The files with the extension png, webp, jpg, jpeg or bin, except hidden ones, the newest first. */
  const list = fs.readDirectory(root).pipe(
    Effect.mapError(failing("The folder cannot be read")),
    Effect.flatMap((names) => Effect.forEach(names.filter(isImageName), listedOf, { concurrency: 16 })),
    Effect.map((found) =>
      found.flatMap((stat) => Option.toArray(Option.flatten(stat))).toSorted((a, b) => +b.modified - +a.modified)
    )
  )
  return { path: root, check, write, read, list }
})

export type ImageFolder = Effect.Success<ReturnType<typeof open>>
