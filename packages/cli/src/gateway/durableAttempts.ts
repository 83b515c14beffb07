/** Makes the gateway durable, with a journal and a store. This module is loaded only if both are given. */
import type { Images } from "@effect-gradient/core"
import { DurableImages } from "@effect-gradient/durable"
import { Attempts } from "@effect-gradient/gateway"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { around, type Place } from "../durable.ts"
import * as Health from "./health.ts"

/**
 * Checks whether the journal can be reached. It takes at most 2 seconds, because health probes give up after a few
 * seconds.
 */
const problem = Effect.map(DurableImages.DurableImages, ({ get }) =>
  get("readyz").pipe(
    Effect.timeout("2 seconds"),
    Effect.as(undefined),
    Effect.catch((error) =>
      Effect.as(Effect.logWarning("The journal cannot be reached", error), "the journal cannot be reached")
    ),
    // Anyone can request `/readyz`, so the journal is checked at most once a second.
    Effect.cachedWithTTL("1 second"),
    Effect.flatten
  )
)

/** Makes `Attempts`, the routes that show the gateway's health, and the metric of generations in doubt. */
export const make = <E, R>(images: Layer.Layer<Images.Images, E, R>, place: Place, stopping: Health.Problem) => {
  const durable = around(images, place)
  const health = Layer.unwrap(Effect.map(problem, (ofJournal) => Health.layer(stopping, ofJournal)))
  return {
    attempts: Attempts.layerDurable.pipe(Layer.provide(durable)),
    health: health.pipe(Layer.provide(durable)),
    /** The metric of generations in doubt. It is used only if the gateway has telemetry. */
    doubts: Layer.unwrap(
      Effect.map(
        Effect.promise(() => import("@effect-gradient/core/ImagesTelemetry")),
        (ImagesTelemetry) => ImagesTelemetry.layerDoubts(DurableImages.doubts)
      )
    ).pipe(Layer.provide(durable))
  }
}
