/**
 * Where pictures go: the names of their files, which are free before anything is paid for.
 */
import type { ImageGenerateParams } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/** A file is there already, and was not to be replaced. */
export class FileExistsError extends Schema.TaggedError<FileExistsError>("@effect-gradient/cli/FileExistsError")(
  "FileExistsError",
  { path: Schema.String }
) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return `${this.path} exists: choose another --output, or replace it with --overwrite. Nothing was sent.`
  }
}

/** A file cannot be at its place, because of what is there. */
export class OutputError extends Schema.TaggedError<OutputError>("@effect-gradient/cli/OutputError")("OutputError", {
  path: Schema.String,
  problem: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return `${this.path} ${this.problem}: choose another --output. Nothing was sent.`
  }
}

/** The extension of a file and the format of its pictures are not the same. */
export class ExtensionError extends Schema.TaggedError<ExtensionError>("@effect-gradient/cli/ExtensionError")(
  "ExtensionError",
  { path: Schema.String, format: Schema.String }
) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    const { format, path } = this
    return `--output ${path} is no name of a ${format} file: change its end, or --output-format. Nothing was sent.`
  }
}

const mostBytes = 200 // Of the 255 that file systems take: numbers and extensions follow.

/** `A cute baby sea otter!` becomes `a-cute-baby-sea-otter`: letters and digits of any script, 60 at most. */
const slug = (prompt: string): string => {
  const words = prompt
    .normalize("NFKC")
    .toLowerCase()
    .match(/[\p{L}\p{M}\p{N}]+/gu) ?? ["image"]
  const text = Array.from(words.join("-")).slice(0, 60).join("")
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(mostBytes))
  return text.slice(0, read).replace(/-$/, "")
}

const formats = new Map<string, "png" | "webp" | "jpeg">([
  [".png", "png"],
  [".webp", "webp"],
  [".jpeg", "jpeg"],
  [".jpg", "jpeg"]
])

/** The format that an extension asks for. */
export const formatOf = (ext: string) => formats.get(ext.toLowerCase())

/** Where the pictures of one call go: a folder, the beginning of a name, and an extension or nothing. */
export type Place = Pick<Path.Path.Parsed, "dir" | "name" | "ext">

/** A file as it was named; in a folder one that is named after the prompt. */
export const placeOf = Effect.fnUntraced(function* (prompt: string, output: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const isFolder = fs.stat(output).pipe(
    Effect.map(({ type }) => type === "Directory"),
    Effect.orElseSucceed(() => false) // What is not there yet is a file's name.
  )
  const place: Place = path.parse(/[\\/]$/.test(output) || (yield* isFolder) ? path.join(output, slug(prompt)) : output)
  return place
})

/** The files of one call. */
export interface Files {
  /** The file of a picture, counted from 0; without an extension it gets this one. */
  readonly pathOf: (index: number, extension: string) => string
  /** A free name for what a failed call leaves. */
  readonly keptPathOf: (extension: string) => Effect.Effect<string>
}

/** Fails unless the folder, or the nearest one above that is there, can be written to. */
const checkFolder = (folder: string): Effect.Effect<void, OutputError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { dirname } = yield* Path.Path
    const isMissing = (tag: string) => (tag === "NotFound" || tag === "BadResource") && dirname(folder) !== folder
    return yield* fs.stat(folder).pipe(
      Effect.filterOrFail(
        ({ type }) => type === "Directory",
        () => new OutputError({ path: folder, problem: "is a file and no folder" })
      ),
      Effect.andThen(fs.access(folder, { writable: true })),
      Effect.catchTag("PlatformError", ({ reason }) =>
        isMissing(reason._tag)
          ? checkFolder(dirname(folder))
          : Effect.fail(new OutputError({ path: folder, problem: "is a folder that cannot be written to" }))
      )
    )
  })

const most = 10 // More pictures than this are refused before anything is sent.

/** The files of a call, which can be written; folders that are missing are made with the first of them. */
export const prepare = Effect.fnUntraced(function* (
  { dir, ext, name }: Place,
  { n = 1, outputFormat = "png" }: ImageGenerateParams.ImageGenerateParams,
  overwrite: boolean
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const files: Files = {
    pathOf: (index, extension) =>
      path.join(dir, `${name}${n > 1 || index > 0 ? `-${index + 1}` : ""}${ext || `.${extension}`}`),
    keptPathOf: Effect.fnUntraced(function* (extension) {
      for (let number = 1; ; number++) {
        const kept = path.join(dir, `${name}-kept${number > 1 ? `-${number}` : ""}.${extension}`)
        if (!(yield* Effect.orElseSucceed(fs.exists(kept), () => false))) return kept
      }
    })
  }

  if (ext !== "" && (formatOf(ext) ?? ext.slice(1)) !== outputFormat) {
    return yield* new ExtensionError({ path: path.join(dir, name + ext), format: outputFormat })
  }
  yield* checkFolder(path.resolve(dir))
  for (let index = 0; index < Math.min(n, most); index++) {
    const file = files.pathOf(index, outputFormat === "jpeg" ? "jpg" : outputFormat)
    const there = yield* Effect.option(fs.stat(file))
    if (Option.isNone(there)) continue
    if (there.value.type === "Directory") return yield* new OutputError({ path: file, problem: "is a folder" })
    if (!overwrite) return yield* new FileExistsError({ path: file })
  }
  return files
})
