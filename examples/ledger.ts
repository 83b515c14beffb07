import { Ledger } from "@effect-gradient/emulator"
import { Effect } from "effect"

/** The number of requests that would have been charged for, from the emulator's ledger. */
export const charged = Ledger.Ledger.use(({ account }) => Effect.map(account, ({ entries }) => entries.length))
