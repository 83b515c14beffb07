import { NodeImages } from "@effect-gradient/node"
import { ManagedRuntime } from "effect"

/** One for the whole process. Its layer is built at the first call, and keeps the connections to the service. */
export const images = ManagedRuntime.make(NodeImages.layerFromConfig())
