/**
 * The images of an attempt in the store: image files, and a manifest that is written last. An attempt that has a
 * manifest is done.
 */
import { GeneratedImage, ImageGenerateResponse } from "@effect-gradient/core"
import * as Arr from "effect/Array"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { ImageStore } from "../ImageStore.ts"
import type { Identity } from "./identity.ts"
import { type Asked, Move, type Tokens } from "./stateMachine.ts"
import { type Entry, StoreFailure } from "./storeModels.ts"

/** The store lacks a file of an attempt, or has it with another size. */
export class LostFile extends StoreFailure {}

type Store = ImageStore["Service"]

const Text = Schema.optional(Schema.String)
const Count = Schema.optional(Schema.Finite)

/** The content of the reply except the bytes of the images, and what the journal needs to restore its row. */
const Manifest = Schema.Struct({
  version: Schema.Literal(1),
  attempt: Schema.Int,
  token: Schema.String,
  key: Text,
  salt: Text,
  digest: Text,
  labels: Schema.Record(Schema.String, Schema.String),
  model: Schema.String,
  n: Schema.Int,
  created: Schema.String,
  requestId: Text,
  background: Text,
  outputFormat: Text,
  quality: Text,
  size: Text,
  usage: Schema.optional(
    Schema.Struct({ inputTokens: Schema.Finite, outputTokens: Count, totalTokens: Schema.Finite })
  ),
  /** The params, if `keep.params` is set. */
  params: Schema.optional(Schema.Unknown),
  images: Schema.NonEmptyArray(
    Schema.Struct({
      file: Schema.String,
      size: Schema.Int,
      sha256: Schema.String,
      outputFormat: Text,
      revisedPrompt: Text
    })
  )
})

export type Manifest = typeof Manifest.Type

const Json = Schema.fromJsonString(Manifest)
const decode = Schema.decodeUnknownEffect(Json)
const encode = Schema.encodeEffect(Json)

/** An attempt whose images are to be written to the store. */
export interface Kept {
  readonly id: string
  readonly attempt: number
  readonly token: string
  readonly asked: Asked
  readonly params: unknown
}

/** The name of an attempt's folder. No other attempt has this token, so two attempts never write to the same folder. */
export const folderOf = ({ attempt, token }: { readonly attempt: number; readonly token: string }): string =>
  `${attempt}-${token}`

const manifestName = "manifest.json"
const completeName = /\/image-(\d+)\.\w+$/
const anyImage = /\/(image|partial)-(\d+)\.\w+$/

const tokensOf = ({ usage }: Manifest): Tokens => ({
  input: usage?.inputTokens,
  output: usage?.outputTokens,
  total: usage?.totalTokens
})

/** Makes the move `Complete` for the attempt of this manifest. */
export const completing = (manifest: Manifest): Move =>
  Move.Complete({
    key: manifest.key,
    salt: manifest.salt,
    digest: manifest.digest,
    labels: manifest.labels,
    model: manifest.model,
    n: manifest.n,
    attempt: manifest.attempt,
    token: manifest.token,
    folder: folderOf(manifest),
    images: manifest.images.length,
    tokens: tokensOf(manifest)
  })

type Response = ImageGenerateResponse.ImageGenerateResponse

/** The fields of a reply that are written to a manifest, except the images. */
type Head = Pick<Response, "created"> &
  Partial<Pick<Response, "background" | "outputFormat" | "quality" | "requestId" | "size" | "usage">>

type File = Manifest["images"][number]

const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1)
const encoder = new TextEncoder()
const decoder = new TextDecoder()

const manifestOf = (kept: Kept, head: Head, images: Manifest["images"]): Manifest => {
  const { background, created, outputFormat, quality, requestId, size, usage } = head
  const { attempt, params, token } = kept
  return {
    version: 1,
    attempt,
    token,
    ...kept.asked,
    created: DateTime.formatIso(created),
    requestId,
    background,
    outputFormat,
    quality,
    size,
    usage: usage && {
      inputTokens: usage.inputTokens,
      outputTokens: usage.outputTokens,
      totalTokens: usage.totalTokens
    },
    params,
    images
  }
}

const responseOf = (manifest: Manifest, data: Response["data"]): Response => {
  const { background, created, outputFormat, quality, requestId, size, usage } = manifest
  return new ImageGenerateResponse.ImageGenerateResponse({
    created: DateTime.makeUnsafe(created),
    data,
    background,
    outputFormat,
    quality,
    requestId,
    size,
    usage
  })
}

const nothing = new Uint8Array()

const concat = (parts: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const joined = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

/** Makes the functions that read and write the attempts in one store. */
export const attemptsIn = (store: Store, identity: Identity) => {
  const writeManifest = Effect.fnUntraced(function* (kept: Kept, head: Head, images: ReadonlyArray<File>) {
    if (!Arr.isReadonlyArrayNonEmpty(images)) return yield* Effect.die("a manifest must have at least one image")
    const manifest = manifestOf(kept, head, images)
    const json = yield* Effect.orDie(encode(manifest))
    yield* store.put(`${kept.id}/${folderOf(kept)}/${manifestName}`, encoder.encode(json))
    return manifest
  })

  /** Writes an image. At the same time its SHA-256 is computed, on another thread if the platform has one for this. */
  const writeImage = Effect.fnUntraced(function* (kept: Kept, image: GeneratedImage.GeneratedImage, index: number) {
    const { bytes, extension, outputFormat, revisedPrompt } = image
    const file = `image-${index}.${extension}`
    const put = store.put(`${kept.id}/${folderOf(kept)}/${file}`, bytes)
    const [sha256] = yield* Effect.all([identity.sha256(bytes), put], { concurrency: 2 })
    return { file, size: bytes.length, sha256, outputFormat, revisedPrompt }
  })

  /** Writes all images, then the manifest. */
  const write = Effect.fnUntraced(function* (kept: Kept, response: Response) {
    const images = yield* Effect.forEach(response.data, (image, index) => writeImage(kept, image, index))
    return yield* writeManifest(kept, response, images)
  })

  /**
   * Writes the images that arrived in an attempt in doubt. The last one may be a partial image. Writes no manifest.
   * Returns the number of images.
   */
  const keepPartial = (kept: Kept, images: ReadonlyArray<GeneratedImage.GeneratedImage>) =>
    Effect.forEach(images, (image, index) =>
      store.put(`${kept.id}/${folderOf(kept)}/partial-${index}.${image.extension}`, image.bytes)
    ).pipe(Effect.map(({ length }) => length))

  const read = (path: string): Effect.Effect<Option.Option<Manifest>, StoreFailure> =>
    Effect.flatMap(store.get(path), (bytes) =>
      Option.isNone(bytes)
        ? Effect.succeed(Option.none())
        : Effect.mapBoth(decode(decoder.decode(bytes.value)), {
            onSuccess: Option.some,
            onFailure: (cause) =>
              new StoreFailure({ message: `${path} cannot be read as a manifest: ${cause.message}`, cause })
          })
    )

  const isManifest = ({ path }: Entry) => nameOf(path) === manifestName

  /** The manifests of a generation, sorted by attempt. */
  const find = Effect.fnUntraced(function* (id: string) {
    const entries = yield* Stream.runCollect(store.list(id))
    const found = yield* Effect.forEach(entries.filter(isManifest), ({ path }) => read(path))
    return found.flatMap(Option.toArray).toSorted((a, b) => a.attempt - b.attempt)
  })

  /**
   * Every manifest in the store, with the id of its generation. A manifest that cannot be read is logged and left out.
   */
  const all = store.list("").pipe(
    Stream.filter(isManifest),
    Stream.mapEffect(({ path }) =>
      read(path).pipe(
        Effect.tapError(({ message }) => Effect.logWarning(message)),
        Effect.orElseSucceed(() => Option.none<Manifest>()),
        Effect.map(Option.map((manifest) => ({ id: path.slice(0, path.indexOf("/")), manifest })))
      )
    ),
    Stream.flatMap((found) => Stream.fromIterable(Option.toArray(found)))
  )

  const lost = (path: string) =>
    new LostFile({ message: `the store has lost ${path}, or has it with another size`, cause: undefined })

  const image = (path: string, { outputFormat, revisedPrompt, size }: Omit<File, "file" | "sha256">) =>
    Effect.flatMap(store.get(path), (bytes) =>
      Option.isSome(bytes) && bytes.value.length === size
        ? Effect.succeed(new GeneratedImage.GeneratedImage({ bytes: bytes.value, outputFormat, revisedPrompt }))
        : Effect.fail(lost(path))
    )

  /** Reads exactly `length` bytes. The store may need several reads for them. */
  const readExactly = Effect.fnUntraced(function* (path: string, start: number, length: number) {
    const parts: Array<Uint8Array> = []
    for (let missing = length; missing > 0;) {
      const part = yield* store.read(path, start + length - missing, missing)
      if (Option.isNone(part) || part.value.length === 0) return yield* lost(path)
      parts.push(part.value)
      missing -= part.value.length
    }
    const [first = nothing, ...others] = parts
    return others.length === 0 ? first : concat(parts, length)
  })

  /** Makes a source that reads the bytes of an image on demand. Fails if the file is missing or has another size. */
  const source = (path: string, size: number) =>
    Effect.flatMap(store.head(path), (found) =>
      Option.isSome(found) && found.value.size === size
        ? Effect.succeed<GeneratedImage.ImageSource<StoreFailure>>({
            size,
            read: (start, length) => readExactly(path, start, length)
          })
        : Effect.fail(lost(path))
    )

  /**
   * Opens a finished attempt. The bytes of its images are read on demand. Returns `None` if this store does not have
   * the attempt.
   */
  const open = Effect.fnUntraced(function* (id: string, folder: string) {
    const found = yield* read(`${id}/${folder}/${manifestName}`)
    if (Option.isNone(found)) return Option.none()
    const { images } = found.value
    const sources = yield* Effect.forEach(images, ({ file, size }) => source(`${id}/${folder}/${file}`, size), {
      concurrency: 4
    })
    const data = Arr.map(
      images,
      ({ outputFormat, revisedPrompt }) =>
        new GeneratedImage.GeneratedImage({ bytes: nothing, outputFormat, revisedPrompt })
    )
    return Option.some({ outline: responseOf(found.value, data), images: sources })
  })

  /** Reads the response of a finished attempt. Returns `None` if this store does not have the attempt. */
  const load = Effect.fnUntraced(function* (id: string, folder: string) {
    const found = yield* read(`${id}/${folder}/${manifestName}`)
    if (Option.isNone(found)) return Option.none<Response>()
    const data = yield* Effect.forEach(found.value.images, (file) => image(`${id}/${folder}/${file.file}`, file))
    return Option.some(responseOf(found.value, data))
  })

  /** Lists the image files of an attempt: only the complete ones, or also partial ones. */
  const files = Effect.fnUntraced(function* (id: string, folder: string, which: "complete" | "any") {
    const entries = yield* Stream.runCollect(store.list(`${id}/${folder}`))
    const wanted = which === "complete" ? completeName : anyImage
    return entries.filter(({ path }) => wanted.test(path)).toSorted((a, b) => (a.path < b.path ? -1 : 1))
  })

  const images = (entries: ReadonlyArray<Entry>) => Effect.forEach(entries, (entry) => image(entry.path, entry))

  /** Makes a finished attempt of image files that are already in the store, by writing their manifest. */
  const adopt = Effect.fnUntraced(function* (kept: Kept, entries: ReadonlyArray<Entry>, created: DateTime.Utc) {
    const adopted = yield* Effect.forEach(entries, (entry) =>
      Effect.gen(function* () {
        const { bytes } = yield* image(entry.path, entry)
        return { file: nameOf(entry.path), size: entry.size, sha256: yield* identity.sha256(bytes) }
      })
    )
    return yield* writeManifest(kept, { created }, adopted)
  })

  return { write, keepPartial, find, all, load, open, files, images, adopt, remove: store.remove }
}

export type Attempts = ReturnType<typeof attemptsIn>
