/**
 * The pictures, in the browser's IndexedDB: they were paid for, and must outlive the page.
 */
import { ImageGenerateParams, type ImageGenStreamEvent } from "@effect-gradient/core"
import { Data, Duration, Effect, Option, Schema } from "effect"

const Picture = Schema.Struct({
  params: ImageGenerateParams.ImageGenerateParamsStreaming,
  blob: Schema.instanceOf(Blob),
  extension: Schema.String,
  facts: Schema.String,
  madeAt: Schema.Number
})

/** A finished picture. */
export type Picture = typeof Picture.Type

/** The browser does not keep the picture: its disk is full, or the user denies storage. */
export class AlbumError extends Data.TaggedError("AlbumError")<{ readonly cause: unknown }> {}

const settled = <A>(request: IDBRequest<A>): Promise<A> =>
  new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result))
    request.addEventListener("error", () => reject(request.error ?? new DOMException("IndexedDB failed")))
  })

const storeName = "pictures"

const use = <A>(mode: IDBTransactionMode, run: (store: IDBObjectStore) => IDBRequest<A>) =>
  Effect.tryPromise({
    try: async () => {
      const opening = indexedDB.open("browser-gallery", 1)
      opening.addEventListener("upgradeneeded", () =>
        opening.result.createObjectStore(storeName, { autoIncrement: true })
      )
      const database = await settled(opening)
      try {
        return await settled(run(database.transaction(storeName, mode).objectStore(storeName)))
      } finally {
        database.close()
      }
    },
    catch: (cause) => new AlbumError({ cause })
  })

const decode = Schema.decodeUnknownOption(Picture)

/** All pictures, the oldest first. */
export const all: Effect.Effect<ReadonlyArray<Picture>, AlbumError> = Effect.map(
  use("readonly", (store) => store.getAll()),
  (values: ReadonlyArray<unknown>) => values.flatMap((value) => Option.toArray(decode(value)))
)

/** Keeps a picture. */
export const keep = (picture: Picture): Effect.Effect<void, AlbumError> =>
  Effect.asVoid(use("readwrite", (store) => store.add(picture)))

const factsOf = (image: ImageGenStreamEvent.Completed, took: Duration.Duration) =>
  [
    image.usage && `${image.usage.totalTokens.toLocaleString("en")} tokens`,
    `${Duration.toSeconds(took).toFixed(1)} s`,
    `${image.size?.replace("x", " × ") ?? ""} ${image.extension.toUpperCase()}`.trim()
  ]
    .filter((fact) => fact !== undefined)
    .map((fact) => fact.replaceAll(" ", "\u00a0"))
    .join(" · ")

/** The picture of an image that has arrived. `took` is the time since the click. */
export const pictureOf = (
  params: Picture["params"],
  image: ImageGenStreamEvent.Completed,
  took: Duration.Duration,
  madeAt: number
): Picture => ({
  params,
  blob: image.toBlob() ?? new Blob(),
  extension: image.extension,
  facts: factsOf(image, took),
  madeAt
})
