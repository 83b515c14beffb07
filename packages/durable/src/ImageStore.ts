/**
 * Keeps the images of durable generations as files under `<id>/<attempt>-<token>/`, and the lines of batches.
 *
 * @example
 * ```ts
 * import { ImageStore } from "@effect-gradient/durable"
 * import * as NodeServices from "@effect/platform-node/NodeServices"
 * import { Layer } from "effect"
 *
 * const store = ImageStore.layerFolder("images").pipe(Layer.provide(NodeServices.layer))
 * ```
 */
import type { GradientError } from "@effect-gradient/core"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import * as Stream from "effect/Stream"
import { makeFolder } from "./internal/folderStore.ts"
import type { S3Options } from "./internal/s3Store.ts"
import type { Entry, StoreFailure } from "./internal/storeModels.ts"

export type { S3Options } from "./internal/s3Store.ts"
export { type Entry, StoreFailure } from "./internal/storeModels.ts"

/**
 * A store of files by path. The parts of a path are separated by `/` on every operating system.
 *
 * @category services
 * @since 0.1.0
 */
export class ImageStore extends Context.Service<
  ImageStore,
  {
    /**
     * Writes a file. Once this has succeeded, a file in a folder or bucket survives a crash. A file that already exists
     * is not changed, except on an S3 server that does not support `If-None-Match`. If a file is written twice at the
     * same time to a file system without hard links, either content may be kept.
     */
    readonly put: (path: string, bytes: Uint8Array) => Effect.Effect<void, StoreFailure>
    readonly get: (path: string) => Effect.Effect<Option.Option<Uint8Array>, StoreFailure>
    /**
     * Reads up to `length` bytes from `start` on; `length` must be at least 1. The result may be shorter than `length`.
     * It is empty only if `start` is at or after the end of the file.
     */
    readonly read: (
      path: string,
      start: number,
      length: number
    ) => Effect.Effect<Option.Option<Uint8Array>, StoreFailure>
    /** Returns the size of a file without reading the file. */
    readonly head: (path: string) => Effect.Effect<Option.Option<Entry>, StoreFailure>
    /** Lists the files in this folder and its subfolders. `""` lists all files. */
    readonly list: (folder: string) => Stream.Stream<Entry, StoreFailure>
    /** Removes this file, or this folder with its files. Succeeds too if it does not exist. */
    readonly remove: (path: string) => Effect.Effect<void, StoreFailure>
  }
>()("@effect-gradient/durable/ImageStore") {}

const isWithin = (folder: string) => (path: string) => folder === "" || path === folder || path.startsWith(`${folder}/`)

const makeMemory = Effect.sync(() => {
  const files = new Map<string, Uint8Array>()
  const head = (path: string): Option.Option<Entry> =>
    Option.map(Option.fromNullishOr(files.get(path)), ({ length }) => ({ path, size: length }))
  return ImageStore.of({
    put: (path, bytes) =>
      Effect.sync(() => {
        if (!files.has(path)) files.set(path, bytes)
      }),
    get: (path) => Effect.sync(() => Option.fromNullishOr(files.get(path))),
    read: (path, start, length) =>
      Effect.sync(() =>
        Option.map(Option.fromNullishOr(files.get(path)), (bytes) => bytes.subarray(start, start + length))
      ),
    head: (path) => Effect.sync(() => head(path)),
    list: (folder) =>
      Stream.suspend(() =>
        Stream.fromIterable([...files.keys()].filter(isWithin(folder)).flatMap((path) => Option.toArray(head(path))))
      ),
    remove: (path) =>
      Effect.sync(() => {
        for (const name of [...files.keys()].filter(isWithin(path))) files.delete(name)
      })
  })
})

/**
 * A store in memory, for tests. It is empty each time the layer is built.
 *
 * @category layers
 * @since 0.1.0
 */
// `Layer.fresh`, because two stores in one program must not share their files.
export const layerMemory: Layer.Layer<ImageStore> = Layer.fresh(Layer.effect(ImageStore, makeMemory))

/**
 * Provides a store in a folder, which is created if it is missing. A file is written under a temporary name and synced.
 * Then it gets its name, so that the file exists completely or not at all. Except on Windows, its folder is then synced
 * too. Fails with `InvalidParamsError` if `path` is a file, or cannot be written to.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFolder = (
  path: string
): Layer.Layer<ImageStore, GradientError.GradientError, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(ImageStore, Effect.map(makeFolder(path), ImageStore.of))

/**
 * Provides a store in a bucket of DigitalOcean Spaces, AWS or another S3 server. If the server supports
 * `If-None-Match`, an object is never overwritten. A request to the bucket is repeated, at most 8 times, after a
 * failure that may be temporary, such as a 5xx, a 429 or no answer. Fails with `InvalidParamsError` if the bucket
 * cannot be read, for example because it does not exist or the credentials are refused.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerS3 = (
  options: S3Options
): Layer.Layer<ImageStore, GradientError.GradientError, HttpClient.HttpClient> =>
  Layer.effect(
    ImageStore,
    Effect.promise(() => import("./internal/s3Store.ts")).pipe(
      Effect.flatMap(({ makeS3 }) => makeS3(options)),
      Effect.map(ImageStore.of)
    )
  )

const s3Config = Config.all({
  accessKeyId: Config.String("AWS_ACCESS_KEY_ID"),
  secretAccessKey: Config.Redacted("AWS_SECRET_ACCESS_KEY"),
  sessionToken: Config.Redacted("AWS_SESSION_TOKEN").pipe(Config.withDefault(undefined)),
  region: Config.String("AWS_REGION").pipe(
    Config.orElse(() => Config.String("AWS_DEFAULT_REGION")),
    Config.withDefault(undefined)
  ),
  endpoint: Config.String("AWS_ENDPOINT_URL_S3").pipe(
    Config.orElse(() => Config.String("AWS_ENDPOINT_URL")),
    Config.withDefault(undefined)
  )
})

/**
 * Provides a store in a bucket. Credentials, region and endpoint are read from the environment variables of the AWS
 * command line: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION` (else
 * `AWS_DEFAULT_REGION`) and `AWS_ENDPOINT_URL_S3` (else `AWS_ENDPOINT_URL`). For DigitalOcean Spaces, set
 * `AWS_ENDPOINT_URL_S3` to a URL such as `https://fra1.digitaloceanspaces.com`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerS3FromConfig = (
  options: Pick<S3Options, "bucket" | "prefix">
): Layer.Layer<ImageStore, GradientError.GradientError | Config.ConfigError, HttpClient.HttpClient> =>
  Layer.unwrap(Effect.map(s3Config, (found) => layerS3({ ...found, ...options })))
