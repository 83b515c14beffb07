/** Repeats a statement if another process has locked the SQLite file. */
import * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"

/**
 * A busy SQLite file is free again within milliseconds. A lost connection can take longer, so only the caller waits for
 * it.
 */
export const isBusy = (error: SqlError | Schema.SchemaError): boolean =>
  error._tag === "SqlError" && error.reason._tag === "LockTimeoutError"

export const whileBusy = Schedule.spaced("10 millis").pipe(Schedule.jittered, Schedule.upTo({ duration: "10 seconds" }))
