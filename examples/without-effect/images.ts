import { NodeImages } from "@effect-gradient/node"
import { ManagedRuntime } from "effect"

/** One runtime for the whole process. It builds its layer at the first call, and keeps the connections to the service. */
export const images = ManagedRuntime.make(NodeImages.layerFromConfig())
