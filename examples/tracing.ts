import { NodeImages } from "@effect-gradient/node"

/** Sends the headers `traceparent` and `b3`, so that your own gateway can continue the trace. */
export const traced = NodeImages.layerFromConfig({ propagateTrace: true })
