/**
 * Handles the signals that end the process. `NodeRuntime.runMain` interrupts the program at SIGINT and SIGTERM. Here
 * SIGHUP, which a terminal sends when it is closed, does the same.
 */
import * as Effect from "effect/Effect"
import process from "node:process"

const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

let received: keyof typeof codes | undefined

const listeners = {
  SIGINT: () => void (received ??= "SIGINT"),
  SIGTERM: () => void (received ??= "SIGTERM"),
  SIGHUP: () => {
    received ??= "SIGHUP"
    process.emit("SIGTERM", "SIGTERM")
  }
}

const listen = Effect.sync(() => {
  process.on("SIGINT", listeners.SIGINT).on("SIGTERM", listeners.SIGTERM).on("SIGHUP", listeners.SIGHUP)
})

const stopListening = Effect.sync(() => {
  process.off("SIGINT", listeners.SIGINT).off("SIGTERM", listeners.SIGTERM).off("SIGHUP", listeners.SIGHUP)
})

/** Runs a program under `NodeRuntime.runMain`, so that SIGINT, SIGTERM and SIGHUP each interrupt it. */
export const handling = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    listen,
    () => program,
    () => stopListening
  )

/**
 * Returns the usual exit code of a process that was ended by a signal: 128 plus the number of the signal that came
 * first, or of SIGINT if none came.
 */
export const exitCode = (): number => codes[received ?? "SIGINT"]

/** After this, a signal ends the process at once, and does not wait for requests that were sent. */
export const endingAtOnce: Effect.Effect<void> = Effect.sync(() => {
  // SIGHUP is passed on as SIGTERM.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(exitCode()))
})
