/** Writes images to files, a device or standard output. */
import type { GeneratedImage, ImageGenerateParams } from "@effect-gradient/core"
import { ImageFile } from "@effect-gradient/node"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"

const formats = new Map<string, "png" | "webp" | "jpeg">([
  [".png", "png"],
  [".webp", "webp"],
  [".jpeg", "jpeg"],
  [".jpg", "jpeg"]
])

/** Returns the format that an extension with its dot stands for, or `undefined` if it is not in `formats`. */
export const formatOf = (ext: string) => formats.get(ext.toLowerCase())

/**
 * Returns the extension for a format, without a dot: `jpg` for `jpeg`, else the name of the format, or `bin` if that
 * name has other characters than letters and digits.
 */
export const extensionOf = (format: string): string => {
  if (format === "jpeg") return "jpg"
  return /^[a-z\d]+$/i.test(format) ? format : "bin"
}

/** Returns a warning if the extension of the file is in `formats`, but the image has another format. */
export const contradictionOf = (image: GeneratedImage.ImageBytes, file: string): string | undefined => {
  const [ext = ""] = /\.\w+$/.exec(file) ?? []
  const format = formatOf(ext)
  if (format === undefined || `image/${format}` === image.mediaType) return undefined
  const actual = image.mediaType.replace("image/", "").toUpperCase()
  return `${file} holds a ${actual} image, although its name ends in ${ext}: the service did not send ${format}.`
}

/**
 * The place where the images of one call are written. `dir`, `name` and `ext` are used for files. For images that are
 * kept, for example after a failed call, only `dir` and `name` are used.
 */
export interface Place extends Pick<Path.Path.Parsed, "dir" | "name" | "ext"> {
  readonly kind: "Files" | "Device" | "StandardOutput"
  /** The value of `--output`, as the user gave it; `.` if the flag is absent. */
  readonly output: string
}

/** Writes images to one kind of place. `index` is the number of the image in its call, from 0. */
export interface Target {
  /** Returns the path to which `put` tries to write first, or `Standard output`, for messages. */
  readonly nameOf: (image: GeneratedImage.ImageBytes, index: number) => string
  /** Writes an image and returns its path, or `-` for standard output. */
  readonly put: (image: GeneratedImage.ImageBytes, index: number) => Effect.Effect<string, PlatformError>
}

export interface Targets {
  /** Writes the images of a successful call. */
  readonly finished: Target
  /** Writes images to files with new names, for example those that had arrived before a call failed. */
  readonly kept: Target
}

type Params = Pick<ImageGenerateParams.ImageGenerateParams, "n" | "outputFormat">

/**
 * Makes a function that returns the path of an image from its index (from 0). The `extension` is used only if the place
 * has none.
 */
export const makePathOf = Effect.map(
  Path.Path,
  (path) =>
    ({ dir, ext, name }: Place, n = 1) =>
    (index: number, extension: string): string =>
      path.join(dir, `${name}${n > 1 || index > 0 ? `-${index + 1}` : ""}${ext || `.${extension}`}`)
)

export const makeTargets = Effect.fnUntraced(function* (place: Place, { n, outputFormat }: Params, overwrite: boolean) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const stdio = yield* Stdio.Stdio
  const pathOf = (yield* makePathOf)(place, n)

  /**
   * Returns the extension of an image. If the image's format is unknown, it is the extension of the requested format,
   * or `bin` if no format was requested.
   */
  const endOf = ({ extension }: GeneratedImage.ImageBytes) =>
    extension === "bin" && outputFormat !== undefined ? extensionOf(outputFormat) : extension
  const keptPathOf = (image: GeneratedImage.ImageBytes) => path.join(place.dir, `${place.name}-kept.${endOf(image)}`)
  const kept: Target = { nameOf: keptPathOf, put: (image) => ImageFile.write(image, keptPathOf(image)) }

  const finished: { readonly [Kind in Place["kind"]]: Target } = {
    Files: {
      nameOf: (image, index) => pathOf(index, endOf(image)),
      put: (image, index) => ImageFile.write(image, pathOf(index, endOf(image)), { overwrite })
    },
    Device: {
      nameOf: () => place.output,
      put: (image) => Effect.as(fs.writeFile(place.output, image.bytes), place.output)
    },
    StandardOutput: {
      nameOf: () => "Standard output",
      // Standard output takes one image. If the service sends more than were requested, the others are written to
      // files.
      put: (image, index) =>
        index > 0 ? kept.put(image, index) : Effect.as(Stream.run(Stream.make(image.bytes), stdio.stdout()), "-")
    }
  }
  const targets: Targets = { finished: finished[place.kind], kept }
  return targets
})
