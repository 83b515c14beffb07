/**
 * What a journal takes and gives beside its rows: the models of `GenerationJournal`, in a file that its SQL can import.
 */
import * as Data from "effect/Data"
import type { Row } from "./stateMachine.ts"

/**
 * The journal did not answer, or refused. Whether a change was made is unknown.
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
 * How many generations have a status, and what they have brought. A generation that is `free` after a failure is `failed`.
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
 * Which rows are listed, the newest first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter {
  readonly states?: ReadonlyArray<string> | undefined
  /** In none of these states: it also finds those that a newer version has written. */
  readonly notStates?: ReadonlyArray<string> | undefined
  /** The beginning of the key. */
  readonly prefix?: string | undefined
  /** Created before this time, in milliseconds since 1970. */
  readonly createdBefore?: number | undefined
  /** Not changed for this many milliseconds. */
  readonly untouchedFor?: number | undefined
  /** The last row of the page before. */
  readonly after?: Pick<Row, "createdAt" | "id"> | undefined
  readonly limit: number
}
