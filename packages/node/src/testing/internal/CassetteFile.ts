/** Reads and writes a cassette, which is a JSON file with image files beside it. Each file is written atomically. */
import { GeneratedImage } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import * as AtomicFile from "../../AtomicFile.ts"
import * as ImageFile from "../../ImageFile.ts"
import { Exchange, imageNames } from "./Exchange.ts"

export interface CassetteContent {
  readonly exchanges: ReadonlyArray<Exchange>
  /** The bytes of each image, by the name of its file. */
  readonly images: ReadonlyMap<string, Uint8Array>
}

export const empty: CassetteContent = { exchanges: [], images: new Map() }

const File = Schema.fromJsonString(Schema.Struct({ exchanges: Schema.Array(Exchange) }))
const decode = Schema.decodeUnknownEffect(File)

export const read = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const { dirname, join } = yield* Path.Path
  const { exchanges } = yield* Effect.flatMap(fs.readFileString(path), decode)
  const images = yield* Effect.forEach(imageNames(exchanges), (name) =>
    Effect.map(fs.readFile(join(dirname(path), name)), (bytes) => [name, bytes] as const)
  )
  const content: CassetteContent = { exchanges, images: new Map(images) }
  return content
})

/** Writes a cassette. Images that are in `written` are not written again. */
export const write = Effect.fnUntraced(function* (
  path: string,
  { exchanges, images }: CassetteContent,
  written: CassetteContent
) {
  const { dirname, join } = yield* Path.Path
  for (const [name, bytes] of images) {
    if (written.images.has(name)) continue
    yield* ImageFile.write(new GeneratedImage.ImageBytes({ bytes }), join(dirname(path), name), { overwrite: true })
  }
  const json = `${JSON.stringify({ exchanges }, undefined, 2)}\n`
  yield* AtomicFile.replace(path, new TextEncoder().encode(json))
})

/** Removes the image files with these names, beside the cassette. */
export const removeImages = Effect.fnUntraced(function* (path: string, images: Iterable<string>) {
  const fs = yield* FileSystem.FileSystem
  const { dirname, join } = yield* Path.Path
  for (const name of images) yield* fs.remove(join(dirname(path), name), { force: true })
})
