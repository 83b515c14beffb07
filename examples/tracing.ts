import { NodeImages } from "@effect-gradient/node"
import { Effect } from "effect"
import { HttpClient } from "effect/http"

/** Sends `traceparent` and `b3`, which a gateway of yours can continue. */
export const traced = NodeImages.layerFromConfig({
  transformClient: HttpClient.transformResponse(Effect.provideService(HttpClient.TracerPropagationEnabled, true))
})
