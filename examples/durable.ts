import { Images } from "@effect-gradient/core"
import { DurableImages, GenerationJournal, ImageStore } from "@effect-gradient/durable"
import { SqliteClient } from "@effect-gradient/durable/node"
import { NodeServices } from "@effect/platform-node"
import { Layer } from "effect"

/**
 * Makes a layer of `Images` durable, such as `NodeImages.layerFromConfig()`. The journal and the images are in the folder,
 * which must exist.
 */
export const durable = (folder: string) => {
  const sqlite = SqliteClient.layer({ filename: `${folder}/journal.db` })
  const journal = GenerationJournal.layerSql().pipe(Layer.provide(sqlite))
  const store = ImageStore.layerFolder(`${folder}/images`).pipe(Layer.provide(NodeServices.layer))
  return DurableImages.layer().pipe(Layer.provide([journal, store]))
}

/**
 * Generates the image of an order. With the layer of `durable`, at most one image is paid for, whatever happens to the
 * process. Once the image is stored, a call with the same number returns that image.
 */
export const order = (number: number) =>
  Images.generate(
    { prompt: "A cute baby sea otter" },
    { idempotencyKey: `order ${number}`, labels: { shop: "otters" } }
  )
