/** Layers of this package on test transports, for several simulated processes that share a journal and a store. */
import type { Images } from "@effect-gradient/core"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DurableImages, GenerationJournal, ImageStore } from "../../src/index.ts"

type Journal = GenerationJournal.GenerationJournal["Service"]
type Store = ImageStore.ImageStore["Service"]

export interface Shared {
  readonly journal: Journal
  readonly store: Store
}

export const shared: Effect.Effect<Shared> = Effect.scoped(
  Effect.map(Layer.build(Layer.merge(GenerationJournal.layerMemory, ImageStore.layerMemory)), (context) => ({
    journal: Context.get(context, GenerationJournal.GenerationJournal),
    store: Context.get(context, ImageStore.ImageStore)
  }))
)

export type Process = Context.Context<Images.Images | DurableImages.DurableImages | TestTransport.TestTransport>

/** Starts one simulated process, which ends when the scope closes. */
export const processOn = (
  { journal, store }: Shared,
  script: TestTransport.Script,
  options: DurableImages.Options = {},
  client: Parameters<typeof TestTransport.layerImages>[1] = {}
) =>
  Layer.build(
    DurableImages.layer(options).pipe(
      Layer.provideMerge(TestTransport.layerImages(script, client)),
      Layer.provide(Layer.succeed(GenerationJournal.GenerationJournal, journal)),
      Layer.provide(Layer.succeed(ImageStore.ImageStore, store))
    )
  )

/** Answers every request with one image. */
export const answering: TestTransport.Script = () => TestTransport.response(TestImages.makeResponse(TestImages.png))

/** Answers every request with one image after this delay. */
export const answeringAfter =
  (delay: Parameters<typeof Effect.delay>[1]): TestTransport.Script =>
  () =>
    Effect.delay(TestTransport.response(TestImages.makeResponse(TestImages.png)), delay)
