/** Repeats a statement that waited too long for a lock, for up to 10 seconds. */
import * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"

/**
 * Whether the statement failed because it waited too long for a lock, such as that of the SQLite file, which another
 * process held. A lock is usually released within milliseconds, so the statement is repeated. A lost connection may
 * take longer to come back, so that failure is passed to the caller.
 */
export const isBusy = (error: SqlError | Schema.SchemaError): boolean =>
  error._tag === "SqlError" && error.reason._tag === "LockTimeoutError"

export const whileBusy = Schedule.spaced("10 millis").pipe(Schedule.jittered, Schedule.upTo({ duration: "10 seconds" }))
