import type { Fault } from "@effect-gradient/emulator"

/**
 * Faults for `Emulator.layerHttpClient({ faults })`: the connection of one request is reset within the body of its reply,
 * another request gets a 429, and all others succeed.
 */
export const faults: ReadonlyArray<Fault.Input> = [
  "reset-body@50000 x1",
  { _tag: "status", status: 429, retryAfter: 0, times: 1 }
]
