/**
 * The album: finished images in the browser's IndexedDB. They may be paid for, so they must outlive the page.
 */
import { ImageGenerateParams, type ImageGenStreamEvent } from "@effect-gradient/core"
import { Data, Duration, Effect, Option, Schema } from "effect"

const AlbumImage = Schema.Struct({
  params: ImageGenerateParams.ImageGenerateParamsStreaming,
  blob: Schema.instanceOf(Blob),
  extension: Schema.String,
  facts: Schema.String,
  madeAt: Schema.Number
})

/** A finished image, as the album stores it. */
export type AlbumImage = typeof AlbumImage.Type

/** The browser's IndexedDB failed, for example because the disk is full or the user denies storage. */
export class AlbumError extends Data.TaggedError("AlbumError")<{ readonly cause: unknown }> {}

const settled = <A>(request: IDBRequest<A>): Promise<A> =>
  new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result))
    request.addEventListener("error", () => reject(request.error ?? new DOMException("IndexedDB failed")))
  })

/** Waits until the transaction is committed. After that, its write outlives the page. */
const committed = (transaction: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.addEventListener("complete", () => resolve())
    transaction.addEventListener("abort", () => reject(transaction.error ?? new DOMException("IndexedDB failed")))
  })

const storeName = "images"

const use = <A>(mode: IDBTransactionMode, run: (store: IDBObjectStore) => IDBRequest<A>) =>
  Effect.tryPromise({
    try: async () => {
      const opening = indexedDB.open("browser-gallery", 1)
      opening.addEventListener("upgradeneeded", () =>
        opening.result.createObjectStore(storeName, { autoIncrement: true })
      )
      const database = await settled(opening)
      try {
        const transaction = database.transaction(storeName, mode)
        const [result] = await Promise.all([settled(run(transaction.objectStore(storeName))), committed(transaction)])
        return result
      } finally {
        database.close()
      }
    },
    catch: (cause) => new AlbumError({ cause })
  })

const decode = Schema.decodeUnknownOption(AlbumImage)

/** All images of the album, the oldest first. A record that cannot be decoded is left out. */
export const all: Effect.Effect<ReadonlyArray<AlbumImage>, AlbumError> = Effect.map(
  use("readonly", (store) => store.getAll()),
  (values: ReadonlyArray<unknown>) => values.flatMap((value) => Option.toArray(decode(value)))
)

export const keep = (image: AlbumImage): Effect.Effect<void, AlbumError> =>
  Effect.asVoid(use("readwrite", (store) => store.add(image)))

const factsOf = (image: ImageGenStreamEvent.Completed, took: Duration.Duration) =>
  [
    image.usage && `${image.usage.totalTokens.toLocaleString("en")} tokens`,
    `${Duration.toSeconds(took).toFixed(1)} s`,
    `${image.size?.replace("x", " × ") ?? ""} ${image.extension.toUpperCase()}`.trim()
  ]
    .filter((fact) => fact !== undefined)
    .map((fact) => fact.replaceAll(" ", "\u00a0"))
    .join(" · ")

/** Makes the album's record of a finished image. `took` is the time from the user's request to the image. */
export const imageOf = (
  params: AlbumImage["params"],
  image: ImageGenStreamEvent.Completed,
  took: Duration.Duration,
  madeAt: number
): AlbumImage => ({
  params,
  blob: image.toBlob() ?? new Blob(),
  extension: image.extension,
  facts: factsOf(image, took),
  madeAt
})
