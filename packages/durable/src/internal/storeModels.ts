/**
 * What a store gives and how it fails: the models of `ImageStore`, in a file that its layers can import.
 */
import * as Data from "effect/Data"

/**
 * A file in a store.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly path: string
  /** In bytes. */
  readonly size: number
}

/**
 * The store is full, unreachable, or refused.
 *
 * @category errors
 * @since 0.1.0
 */
export class StoreFailure extends Data.TaggedError("StoreFailure")<{
  readonly message: string
  readonly cause: unknown
}> {}
