import type { Fault } from "@effect-gradient/emulator"

/** For `Emulator.layerHttpClient({ faults })`: one request is reset within its body, one gets a 429, the rest succeed. */
export const faults: ReadonlyArray<Fault.Input> = [
  "reset-body@50000 x1",
  { _tag: "status", status: 429, retryAfter: 0, times: 1 }
]
