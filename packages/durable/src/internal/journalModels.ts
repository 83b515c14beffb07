/**
 * The models of `GenerationJournal` other than its rows. They have a file of their own, so that the SQL modules can
 * import them.
 */
import * as Data from "effect/Data"
import type { Row } from "./stateMachine.ts"

/**
 * The journal did not answer, or refused the statement. It is unknown whether a change was made.
 *
 * @category errors
 * @since 0.1.0
 */
export class JournalFailure extends Data.TaggedError("JournalFailure")<{
  readonly message: string
  readonly cause: unknown
  /** Whether the same statement may succeed later. */
  readonly isRetryable: boolean
}> {}

/**
 * A row, and whether the permission to send has ended without an outcome.
 *
 * @category models
 * @since 0.1.0
 */
export interface Found {
  readonly row: Row
  readonly isLapsed: boolean
}

/**
 * How many generations have a status, and how many images and tokens they have. A generation that is `free` after a
 * failure counts as `failed`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Count {
  readonly status: "done" | "sending" | "in-doubt" | "failed" | "free" | "abandoned" | "expired"
  readonly generations: number
  readonly images: number
  readonly totalTokens: number
}

/**
 * Selects the rows to list. The newest is first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter {
  readonly states?: ReadonlyArray<string> | undefined
  /** Excludes these states. States that only a newer version knows are included. */
  readonly notStates?: ReadonlyArray<string> | undefined
  /** Only keys that begin with this text. */
  readonly prefix?: string | undefined
  /** Only rows that were created before this time, in milliseconds since 1970. */
  readonly createdBefore?: number | undefined
  /** Only rows that have not changed for this many milliseconds. */
  readonly untouchedFor?: number | undefined
  /** The last row of the page before. */
  readonly after?: Pick<Row, "createdAt" | "id"> | undefined
  readonly limit: number
}
