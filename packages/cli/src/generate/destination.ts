/**
 * Decides where images are written, and checks before the request is sent that they can be written there. A device is
 * not checked.
 */
import type { ImageGenerateParams } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import { extensionOf, formatOf, makePathOf, type Place } from "./targets.ts"

/** A file exists at the path of an image that would be written, and `--overwrite` is not set. */
export class FileExistsError extends Schema.TaggedError<FileExistsError>("@effect-gradient/cli/FileExistsError")(
  "FileExistsError",
  { path: Schema.String }
) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return `${this.path} exists: choose another --output, or replace it with --overwrite. Nothing was sent.`
  }
}

/** Images cannot be written to the path in `--output`. */
export class OutputError extends Schema.TaggedError<OutputError>("@effect-gradient/cli/OutputError")("OutputError", {
  path: Schema.String,
  problem: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return `${this.path} ${this.problem}: choose another --output. Nothing was sent.`
  }
}

/** The extension of a file contradicts the format that is requested, or is not a known format. */
export class ExtensionError extends Schema.TaggedError<ExtensionError>("@effect-gradient/cli/ExtensionError")(
  "ExtensionError",
  { path: Schema.String, ext: Schema.String, format: Schema.String, isChosen: Schema.Boolean }
) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    const { ext, format, isChosen, path } = this
    const name = ext.slice(1)
    return isChosen
      ? `--output ${path} ends in ${ext}, but --output-format asks for ${format}: change one of them. Nothing was sent.`
      : `--output ${path} ends in ${ext}, which is not a known format: use png, webp or jpeg${name === "" ? "" : `, or request this format with --output-format ${name}`}. Nothing was sent.`
  }
}

/**
 * The maximum length of a name in bytes, without the number of the image and the extension. With them, file systems
 * allow 255 bytes.
 */
const mostBytes = 200

/** Names that Windows reserves for devices, even with an extension. */
const devices = /^(con|prn|aux|nul|com\d|lpt\d)$/

/**
 * Turns a prompt into a file name without extension: `A cute baby sea otter!` becomes `a-cute-baby-sea-otter`. It keeps
 * letters, in lower case, and digits of any script. The name has at most 60 characters and 200 bytes.
 */
export const slug = (prompt: string): string => {
  const words = prompt
    .normalize("NFKC")
    .toLowerCase()
    .match(/[\p{L}\p{M}\p{N}]+/gu) ?? ["image"]
  const text = Array.from(words.join("-")).slice(0, 60).join("")
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(mostBytes))
  const name = text.slice(0, read).replace(/-$/, "")
  return devices.test(name) ? `${name}-image` : name
}

/**
 * Returns the type of what is at a path; links are followed. Returns `Nothing` if nothing is there or it cannot be
 * read.
 */
const typeAt = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const info = yield* Effect.option(fs.stat(path))
  return Option.match(info, { onNone: () => "Nothing" as const, onSome: ({ type }) => type })
})

/**
 * The destination that `--output` names: a file, a folder with files named after the prompt, a device or standard
 * output (`-`).
 */
export const placeOf = Effect.fnUntraced(function* (prompt: string, output: string) {
  const path = yield* Path.Path
  const named = (dir: string, kind: Place["kind"]): Place => ({ output, kind, dir, name: slug(prompt), ext: "" })
  if (output === "-" || output === "/dev/stdout") return named("", "StandardOutput")
  const type = yield* typeAt(output)
  if (/[\\/]$/.test(output) || type === "Directory") return named(output, "Files")
  if (type !== "Nothing" && type !== "File") return named("", "Device")
  const { dir, ext, name } = path.parse(output)
  const place: Place = { output, kind: "Files", dir, name, ext }
  return place
})

/** Fails unless the folder, or its nearest parent that exists, can be written to. */
const checkFolder = (folder: string): Effect.Effect<void, OutputError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { dirname } = yield* Path.Path
    const isMissing = (tag: string) => (tag === "NotFound" || tag === "BadResource") && dirname(folder) !== folder
    return yield* fs.stat(folder).pipe(
      Effect.filterOrFail(
        ({ type }) => type === "Directory",
        () => new OutputError({ path: folder, problem: "is not a folder" })
      ),
      Effect.andThen(fs.access(folder, { writable: true })),
      Effect.catchTag("PlatformError", ({ reason }) =>
        isMissing(reason._tag)
          ? checkFolder(dirname(folder))
          : Effect.fail(new OutputError({ path: folder, problem: "cannot be written to" }))
      )
    )
  })

/** Fails if a folder is at this path, or, without `overwrite`, a file or a link. */
const checkFile = Effect.fnUntraced(function* (file: string, overwrite: boolean) {
  const fs = yield* FileSystem.FileSystem
  const type = yield* typeAt(file)
  if (type === "Directory") return yield* new OutputError({ path: file, problem: "is a folder" })
  if (overwrite) return
  if (type !== "Nothing") return yield* new FileExistsError({ path: file })
  if (Option.isSome(yield* Effect.option(fs.readLink(file)))) {
    return yield* new OutputError({ path: file, problem: "is a link to a file that does not exist" })
  }
})

/** The most images of one call. A call for more fails later, before its request is sent. */
const most = 10

interface Wishes {
  readonly params: Pick<ImageGenerateParams.ImageGenerateParams, "n" | "outputFormat">
  readonly overwrite: boolean
  /** Whether `--json` is set, so that its object takes standard output. */
  readonly json: boolean
}

/**
 * Fails if the images of a call cannot be written to files or to standard output. A device is not checked. Returns the
 * format to request, if a flag or the extension chooses one.
 */
export const checkDestination = Effect.fnUntraced(function* (place: Place, { json, overwrite, params }: Wishes) {
  const path = yield* Path.Path
  const stdio = yield* Stdio.Stdio
  const { dir, ext, kind, name } = place
  const { n = 1, outputFormat = formatOf(ext) } = params
  const format = outputFormat ?? "png"

  if (kind === "Files") {
    if (ext !== "" && (formatOf(ext) ?? ext.slice(1)) !== format) {
      const isChosen = params.outputFormat !== undefined
      return yield* new ExtensionError({ path: path.join(dir, name + ext), ext, format, isChosen })
    }
    yield* checkFolder(path.resolve(dir))
    const pathOf = (yield* makePathOf)(place, n)
    for (let index = 0; index < Math.min(n, most); index++) {
      yield* checkFile(pathOf(index, extensionOf(format)), overwrite)
    }
  }

  if (kind === "StandardOutput") {
    const refuse = (problem: string) => Effect.fail(new OutputError({ path: "Standard output", problem }))
    if (yield* stdio.stdoutIsTerminal) return yield* refuse("is a terminal")
    if (json) return yield* refuse("cannot take both an image and the object of --json")
    if (n > 1) return yield* refuse(`takes one image, not ${n}`)
  }
  return outputFormat
})
