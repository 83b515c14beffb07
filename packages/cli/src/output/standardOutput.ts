/**
 * Makes a run fail if its output cannot be written to standard output, for example because a disk is full. Node's
 * console ignores such errors.
 */
import process from "node:process"

let failure: Error | undefined

/** Records the first error of standard output. Errors of standard error are ignored. */
export const watch = (): void => {
  process.stdout.on("error", (error: Error) => (failure ??= error))
  process.stderr.on("error", () => undefined) // There is no stream left on which to report it.
}

/** Waits until everything is written, and then passes on the first error, if there was one. */
export const flush = (onFlushed: (error: Error | undefined) => void): void => {
  // The last error is emitted after this callback.
  process.stdout.write("", () => setImmediate(() => onFlushed(failure)))
}
