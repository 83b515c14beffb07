/** A journal and a store that several durable gateways share, and the `Attempts` of such a gateway. */
import type { GradientError } from "@effect-gradient/core"
import { type GradientClient, Images } from "@effect-gradient/core"
import { DurableImages, GenerationJournal, ImageStore } from "@effect-gradient/durable"
import { Attempts } from "@effect-gradient/gateway"
import { Context, Effect, Layer } from "effect"

export interface Shared {
  readonly journal: GenerationJournal.GenerationJournal["Service"]
  readonly store: ImageStore.ImageStore["Service"]
}

export const inMemory: Effect.Effect<Shared> = Effect.scoped(
  Effect.map(Layer.build(Layer.merge(GenerationJournal.layerMemory, ImageStore.layerMemory)), (context) => ({
    journal: Context.get(context, GenerationJournal.GenerationJournal),
    store: Context.get(context, ImageStore.ImageStore)
  }))
)

export const durableOn = (
  { journal, store }: Shared,
  options: DurableImages.Options = {}
): Layer.Layer<Attempts.Attempts, GradientError.GradientError, GradientClient.GradientClient> =>
  Attempts.layerDurable.pipe(
    Layer.provide(DurableImages.layer(options)),
    Layer.provide([
      Layer.fresh(Images.layer),
      Layer.succeed(GenerationJournal.GenerationJournal, journal),
      Layer.succeed(ImageStore.ImageStore, store)
    ])
  )

/** The failure of a journal that cannot be reached. */
export const away = Effect.fail(
  new GenerationJournal.JournalFailure({ message: "connection refused", cause: undefined, isRetryable: true })
)
