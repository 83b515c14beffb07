/**
 * The models of `GenerationJournal` except its rows and moves. They have their own file, so that the SQL modules can
 * import them.
 */
import * as Data from "effect/Data"
import type { Row } from "./stateMachine.ts"

/**
 * The journal did not answer, refused the statement, or has a row that this version cannot read. The statement may
 * have changed something nevertheless.
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
 * A row of the journal. `isLapsed` is true if its permission to send has ended and no outcome was written.
 *
 * @category models
 * @since 0.1.0
 */
export interface Found {
  readonly row: Row
  readonly isLapsed: boolean
}

/**
 * The number of generations with this status, and the sums of their images and tokens. A generation that is `free`
 * after a failure or an interruption counts as `failed`.
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
 * Selects the rows to list. The newest row comes first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter {
  readonly states?: ReadonlyArray<string> | undefined
  /** Excludes rows in these states. Rows in a state that this version does not know are then included. */
  readonly notStates?: ReadonlyArray<string> | undefined
  /** Only rows whose key begins with this text. */
  readonly prefix?: string | undefined
  /** Only rows that were created before this time, in milliseconds since 1970. */
  readonly createdBefore?: number | undefined
  /** Only rows that have not changed for this many milliseconds. */
  readonly untouchedFor?: number | undefined
  /** Only rows that follow this one, which is the last row of the previous page. */
  readonly after?: Pick<Row, "createdAt" | "id"> | undefined
  readonly limit: number
}
