import type { Fault } from "@effect-gradient/emulator"

/** For `Emulator.layerHttpClient({ faults })`: the first request is reset within its body, the rest go well. */
export const faults = [{ _tag: "reset-body", at: 50_000, times: 1 }] satisfies ReadonlyArray<Fault.Fault>
