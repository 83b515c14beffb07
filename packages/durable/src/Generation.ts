/** A durable generation as a person sees it: a row of the journal, without the prompt and the images. */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import type { Found } from "./internal/journalModels.ts"

/**
 * - `free`: nothing was charged; the next call with the key sends.
 * - `sending`: a request is under way.
 * - `in-doubt`: a request may have been charged for, and its outcome is unknown.
 * - `abandoned`: a person decided that it is never sent again.
 * - `done`: the images are in the store.
 * - `expired`: the images were removed.
 *
 * @category models
 * @since 0.1.0
 */
export const Status = Schema.Literals(["free", "sending", "in-doubt", "abandoned", "done", "expired"])

/**
 * @category models
 * @since 0.1.0
 */
export type Status = typeof Status.Type

/**
 * A generation.
 *
 * @category models
 * @since 0.1.0
 */
export class Generation extends Schema.Class<Generation>("@effect-gradient/durable/Generation")({
  /** Absent after `erase`. */
  key: Schema.optional(Schema.String),
  /** The SHA-256 of the key in hex: its folder in the store, and its `Idempotency-Key`. */
  id: Schema.String,
  labels: Schema.Record(Schema.String, Schema.String),
  status: Status,
  /** The number of the last attempt, from 1. */
  attempt: Schema.Int,
  model: Schema.String,
  /** How many images were asked for. */
  n: Schema.Int,
  /** How many images the store has. */
  images: Schema.Int,
  /**
   * How many other attempts returned images after the generation was done. They were paid for too, and the store has
   * their images.
   */
  extra: Schema.Int,
  /** Why it has this status, such as the reason of a failure. */
  note: Schema.optional(Schema.String),
  inputTokens: Schema.optional(Schema.Finite),
  outputTokens: Schema.optional(Schema.Finite),
  totalTokens: Schema.optional(Schema.Finite),
  createdAt: Schema.DateTimeUtc,
  sentAt: Schema.DateTimeUtc,
  updatedAt: Schema.DateTimeUtc
}) {}

const statuses = new Map<string, Status>([
  ["free", "free"],
  ["sending", "sending"],
  ["abandoned", "abandoned"],
  ["done", "done"],
  ["expired", "expired"]
])

/**
 * A state that this version does not know is in doubt: nothing is sent.
 *
 * @category converting
 * @since 0.1.0
 */
export const statusOf = ({ isLapsed, row }: Found): Status =>
  isLapsed ? "in-doubt" : (statuses.get(row.state) ?? "in-doubt")

/**
 * The generation of a row.
 *
 * @category converting
 * @since 0.1.0
 */
export const fromRow = (found: Found): Generation => {
  const { attempt, createdAt, extra, id, images, key, labels, model, n, note, sentAt, tokens, updatedAt } = found.row
  return new Generation({
    key,
    id,
    labels,
    status: statusOf(found),
    attempt,
    model,
    n,
    images,
    extra: extra.length,
    note,
    inputTokens: tokens.input,
    outputTokens: tokens.output,
    totalTokens: tokens.total,
    createdAt: DateTime.makeUnsafe(createdAt),
    sentAt: DateTime.makeUnsafe(sentAt),
    updatedAt: DateTime.makeUnsafe(updatedAt)
  })
}
