/**
 * Exchanges on disk: a JSON file, and the images beside it. Each file appears whole or not at all.
 */
import { GeneratedImage } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import * as ImageFile from "../../ImageFile.ts"
import { Exchange, imageNames } from "./Exchange.ts"

export interface Tape {
  readonly exchanges: ReadonlyArray<Exchange>
  /** The images by the names of their files. */
  readonly images: ReadonlyMap<string, Uint8Array>
}

export const empty: Tape = { exchanges: [], images: new Map() }

const File = Schema.fromJsonString(Schema.Struct({ exchanges: Schema.Array(Exchange) }))
const decode = Schema.decodeUnknownEffect(File)

/** The tape in this file. */
export const read = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const { dirname, join } = yield* Path.Path
  const { exchanges } = yield* Effect.flatMap(fs.readFileString(path), decode)
  const images = yield* Effect.forEach(imageNames(exchanges), (name) =>
    Effect.map(fs.readFile(join(dirname(path), name)), (bytes) => [name, bytes] as const)
  )
  const tape: Tape = { exchanges, images: new Map(images) }
  return tape
})

/** Writes the file, and those of its images that `written` does not have. */
export const write = Effect.fnUntraced(function* (path: string, { exchanges, images }: Tape, written: Tape) {
  const fs = yield* FileSystem.FileSystem
  const { basename, dirname, join } = yield* Path.Path
  const folder = dirname(path)
  yield* fs.makeDirectory(folder, { recursive: true })
  for (const [name, bytes] of images) {
    if (written.images.has(name)) continue
    yield* ImageFile.write(new GeneratedImage.ImageBytes({ bytes }), join(folder, name), { overwrite: true })
  }
  const temporary = join(folder, `.${basename(path)}.${randomUUID()}.tmp`)
  yield* fs.writeFileString(temporary, `${JSON.stringify({ exchanges }, undefined, 2)}\n`).pipe(
    Effect.andThen(fs.rename(temporary, path)),
    Effect.onError(() => Effect.ignore(fs.remove(temporary, { force: true })))
  )
})

/** Removes the images of a tape that another one has taken the place of. */
export const removeImages = Effect.fnUntraced(function* (path: string, images: Iterable<string>) {
  const fs = yield* FileSystem.FileSystem
  const { dirname, join } = yield* Path.Path
  for (const name of images) yield* fs.remove(join(dirname(path), name), { force: true })
})
