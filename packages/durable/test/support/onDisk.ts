/** Simulates processes whose journal is a SQLite file and whose store is a folder. */
import { NodeImages } from "@effect-gradient/node"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DurableImages, GenerationJournal, ImageStore } from "../../src/index.ts"
import { SqliteClient } from "../../src/node/index.ts"

export interface Places {
  readonly baseUrl: string
  readonly journal: string
  readonly store: string
}

const layer = ({ baseUrl, journal, store }: Places, options: DurableImages.Options) =>
  DurableImages.layer(options).pipe(
    Layer.provideMerge(NodeImages.layer({ baseUrl })),
    Layer.provideMerge(GenerationJournal.layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: journal })))),
    Layer.provideMerge(ImageStore.layerFolder(store).pipe(Layer.provide(NodeServices.layer)))
  )

export type Provided = Layer.Success<ReturnType<typeof layer>>

/** Runs an effect in a simulated process of its own, which has ended when the result is returned. */
export const onDisk = <A, E>(
  places: Places,
  effect: Effect.Effect<A, E, Provided>,
  options: DurableImages.Options = {}
) => Effect.provide(effect, layer(places, options))
