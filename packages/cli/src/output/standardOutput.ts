/**
 * What cannot be written to standard output, for example because a disk is full, makes the run fail. Node's console
 * ignores such errors.
 */
import process from "node:process"

let failure: Error | undefined

/** Notes the first error of standard output. A terminal that is gone breaks neither stream. */
export const watch = (): void => {
  process.stdout.on("error", (error: Error) => (failure ??= error))
  process.stderr.on("error", () => undefined) // There is nowhere left to report it.
}

/** Waits until everything is written, and then gives the first error, if there was one. */
export const flush = (onFlushed: (error: Error | undefined) => void): void => {
  // The last error is emitted after this callback.
  process.stdout.write("", () => setImmediate(() => onFlushed(failure)))
}
