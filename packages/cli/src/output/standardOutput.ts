/**
 * Makes a run fail if its output cannot be written to standard output, for example because a disk is full. Node's
 * console ignores such errors.
 */
import process from "node:process"

let failure: Error | undefined

/** Records the first error of standard output. Errors of standard error are ignored. */
export const watch = (): void => {
  process.stdout.on("error", (error: Error) => (failure ??= error))
  process.stderr.on("error", () => undefined) // An error of standard error cannot be reported anywhere.
}

/**
 * Waits until standard output is written, then passes its first error to `onFlushed`, or `undefined` if there was none.
 */
export const flush = (onFlushed: (error: Error | undefined) => void): void => {
  // Node emits an error of this last write after calling this callback.
  process.stdout.write("", () => setImmediate(() => onFlushed(failure)))
}
