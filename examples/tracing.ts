import { NodeImages } from "@effect-gradient/node"

/** Sends `traceparent` and `b3`, so that a gateway of yours can continue the trace. */
export const traced = NodeImages.layerFromConfig({ propagateTrace: true })
