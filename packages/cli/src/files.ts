/**
 * Where pictures go: the names of their files, which are free before anything is paid for.
 */
import type { ImageGenerateParams } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"

/** A file is there already, and was not to be replaced. */
export class FileExistsError extends Schema.TaggedError<FileExistsError>("@effect-gradient/cli/FileExistsError")(
  "FileExistsError",
  { path: Schema.String }
) {
  override get message(): string {
    return `${this.path} exists: choose another --output, or replace it with --overwrite. Nothing was sent.`
  }
}

/** `A cute baby sea otter!` becomes `a-cute-baby-sea-otter`: letters and digits of any script, 60 at most. */
const slug = (prompt: string): string => {
  const words = prompt
    .normalize("NFKC")
    .toLowerCase()
    .match(/[\p{L}\p{M}\p{N}]+/gu) ?? ["image"]
  return Array.from(words.join("-")).slice(0, 60).join("").replace(/-$/, "")
}

const formats = new Map<string, "png" | "webp" | "jpeg">([
  ["png", "png"],
  ["webp", "webp"],
  ["jpeg", "jpeg"],
  ["jpg", "jpeg"]
])

/** The format that the name of a file asks for. */
export const formatOf = (output = "") => formats.get(/\.(\w+)$/.exec(output)?.[1]?.toLowerCase() ?? "")

/** Where the pictures of one call go. */
export interface Files {
  /** The file of a picture, counted from 0; without an extension it gets that of its format. */
  readonly pathOf: (index: number) => string
  /** The same for what a failed call leaves. */
  readonly keptPathOf: (index: number) => string
}

const most = 10 // More pictures than this are refused before anything is sent.

/** The files of a call, in a folder that can be written to; fails where one of them is there already. */
export const prepare = Effect.fnUntraced(function* (
  { n = 1, outputFormat = "png", prompt }: ImageGenerateParams.ImageGenerateParams,
  output: string | undefined,
  overwrite: boolean
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const place = output ?? "./"
  const { dir, ext, name } = path.parse(/[\\/]$/.test(place) ? path.join(place, slug(prompt)) : place)
  const numbered = (stem: string) => (index: number) =>
    path.join(dir, n > 1 || index > 0 ? `${stem}-${index + 1}${ext}` : `${stem}${ext}`)
  const files: Files = { pathOf: numbered(name), keptPathOf: numbered(`${name}-kept`) }

  yield* fs.makeDirectory(path.resolve(dir), { recursive: true })
  yield* fs.access(path.resolve(dir), { writable: true })
  const extension = ext === "" ? `.${outputFormat === "jpeg" ? "jpg" : outputFormat}` : ""
  for (let index = 0; index < Math.min(n, most) && !overwrite; index++) {
    const file = files.pathOf(index) + extension
    if (yield* fs.exists(file)) return yield* new FileExistsError({ path: file })
  }
  return files
})
