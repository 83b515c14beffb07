import { GradientClient, Images } from "@effect-gradient/core"
import { DurableImages, GenerationJournal, ImageStore } from "@effect-gradient/durable"
import { SqliteClient } from "@effect-gradient/durable/node"
import { Attempts } from "@effect-gradient/gateway"
import { NodeImages } from "@effect-gradient/node"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Layer } from "effect"

/**
 * Makes the gateway durable. Use it in place of `Attempts.layerOnce`. The journal and the images are in `folder`, which must
 * exist.
 */
export const durableAttempts = (folder: string) =>
  Attempts.layerDurable.pipe(
    Layer.provide(DurableImages.layer()),
    Layer.provide([
      Images.layer,
      GenerationJournal.layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: `${folder}/journal.db` }))),
      ImageStore.layerFolder(`${folder}/images`).pipe(Layer.provide(NodeServices.layer))
    ]),
    Layer.provide(GradientClient.layerFromConfig()),
    Layer.provide(NodeImages.layerHttpClient())
  )
