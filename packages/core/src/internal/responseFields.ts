/**
 * Fields of responses and of the events of a stream.
 */
import * as Schema from "effect/Schema"
import { RateLimit } from "../RateLimit.ts"
import { optional, suggest } from "./schemaFields.ts"

/** Fields of a response and of `Completed` that are read from the headers. */
export const headerFields = {
  /** The id of the request, from the header `x-request-id`. Quote the id when you ask for support. */
  requestId: optional(Schema.String),
  /** The rate limit, from the rate limit headers. */
  rateLimit: optional(RateLimit)
}

/**
 * The settings with which the service generated the images. A response and each event contain those that the service
 * sent.
 */
export const settingsFields = {
  background: optional(suggest<"transparent" | "opaque" | "auto">()),
  outputFormat: optional(suggest<"png" | "webp" | "jpeg">()),
  quality: optional(suggest<"auto" | "high" | "medium" | "low">()),
  size: optional(suggest<"1024x1024" | "1536x1024" | "1024x1536" | "auto">())
}
