/**
 * Opens the journal and the store that the flags --journal and --store name. `generate` and `gateway` load this module
 * only if both are set.
 */
import { GradientError, Images } from "@effect-gradient/core"
import { DurableImages, GenerationJournal, ImageStore } from "@effect-gradient/durable"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { drain } from "./drain.ts"
import { configMessageOf } from "./output/message.ts"

/** Where the journal and the store of generations are. */
export interface Place {
  /** The path of a file, or the URL of a PostgreSQL database: `postgres://...`. */
  readonly journal: string
  /** The path of a folder, or a bucket: `s3://bucket/prefix`. */
  readonly store: string
}

const refuse = (description: string, cause?: unknown) =>
  GradientError.fromReason(new GradientError.InvalidParamsError({ description, cause }))

const schemeOf = (text: string) => /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase()

const postgres = (url: string) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("@effect/sql-pg/PgClient")),
      (PgClient) => PgClient.layer({ url: Redacted.make(url) })
    )
  )

const sqlite = (filename: string) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("@effect-gradient/durable/node")),
      ({ SqliteClient }) => SqliteClient.layer({ filename })
    )
  )

const sqlOf = (journal: string) => {
  const scheme = schemeOf(journal)
  if (scheme === undefined) return Effect.succeed(sqlite(journal))
  return scheme === "postgres" || scheme === "postgresql"
    ? Effect.succeed(postgres(journal))
    : refuse(`--journal must be a file or postgres://... (got ${scheme}://...)`)
}

/**
 * Opens a bucket. The credentials come from the environment variables of the AWS command line, because other users
 * could read flags.
 */
const bucketOf = (store: string) => {
  const { hostname: bucket, pathname } = new URL(store)
  return ImageStore.layerS3FromConfig({ bucket, prefix: decodeURIComponent(pathname) }).pipe(
    Layer.provide(FetchHttpClient.layer),
    // Redirects are not followed, because they could send the images to another address.
    Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }))
  )
}

type Store = Layer.Layer<ImageStore.ImageStore, { readonly _tag: string; readonly message: string }>

const storeOf = (store: string): Effect.Effect<Store, GradientError.GradientError> => {
  const scheme = schemeOf(store)
  if (scheme === undefined) {
    return Effect.succeed(ImageStore.layerFolder(store).pipe(Layer.provide(NodeServices.layer)))
  }
  return scheme === "s3" && URL.canParse(store)
    ? Effect.succeed(bucketOf(store))
    : refuse(`--store must be a folder or s3://bucket/prefix (got ${scheme}://...)`)
}

/**
 * Turns an error of the database or of the environment into an error of wrong usage, because the user can mend its
 * cause: a path, an address, a missing variable.
 */
const readable = (error: { readonly _tag: string; readonly message: string }) => {
  if (GradientError.isGradientError(error)) return error
  if (error instanceof Config.ConfigError) {
    return refuse(`The store needs its credentials. ${configMessageOf(error)}`, error)
  }
  return refuse(`The journal cannot be used: ${error.message}`, error)
}

const services = ({ journal, store }: Place) =>
  Effect.gen(function* () {
    const [sql, images] = yield* Effect.all([sqlOf(journal), storeOf(store)])
    return yield* Layer.build(Layer.merge(GenerationJournal.layerSql().pipe(Layer.provide(sql)), images))
  }).pipe(Effect.mapError(readable))

/** Provides `DurableImages` and `Images`. Calls that have an idempotency key are recorded, other calls are not. */
export const around = <E, R>(images: Layer.Layer<Images.Images, E, R>, place: Place) =>
  DurableImages.layer({ drain }).pipe(Layer.provide(images), Layer.provideMerge(Layer.effectContext(services(place))))

const unsent = Effect.die("a command about generations must not send a request")

/** Provides `DurableImages` for commands that only look at generations or change them. No request can be sent. */
export const administration = (place: Place) =>
  around(
    Layer.succeed(Images.Images, { generate: () => unsent, generateStream: () => Stream.fromEffect(unsent) }),
    place
  )
