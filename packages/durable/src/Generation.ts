/**
 * A durable generation as a person sees it, made from a row of the journal. It contains neither the prompt nor the
 * bytes of images.
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import type { Found } from "./internal/journalModels.ts"

/**
 * The status of a generation.
 *
 * - `free`: nothing was charged for, or a person decided `repeat`. A call with the key may send a request.
 * - `sending`: a process has the permission to send, so a request may be under way.
 * - `in-doubt`: a request may have been charged for, and the generation is not done.
 * - `abandoned`: a person decided that no request is sent for the key any more.
 * - `done`: the images were stored.
 * - `expired`: the images were removed, or the generation was erased.
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
 * What the journal knows of the generation of one idempotency key.
 *
 * @category models
 * @since 0.1.0
 */
export class Generation extends Schema.Class<Generation>("@effect-gradient/durable/Generation")({
  /** Absent after `erase`. */
  key: Schema.optional(Schema.String),
  /**
   * The SHA-256 of the key in hexadecimal. It names the generation's folder in the store, and is sent as the header
   * `Idempotency-Key`.
   */
  id: Schema.String,
  labels: Schema.Record(Schema.String, Schema.String),
  status: Status,
  /** The number of the last attempt, from 1. */
  attempt: Schema.Int,
  model: Schema.String,
  /** The number of images that were asked for. */
  n: Schema.Int,
  /** The number of stored images that the journal knows of. The images of `extra` are not counted. */
  images: Schema.Int,
  /**
   * The number of other attempts that returned images after the generation was done. These attempts were paid for too,
   * and their images were stored.
   */
  extra: Schema.Int,
  /** Why the generation is `free` or `in-doubt`, such as the reason of a failure. */
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
 * The status of a row. A state that this version does not know counts as in doubt, so that no request is sent.
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
