/**
 * The errors of the API as JSON, for your own server that implements the same API: `{ error: { message, type, param,
 * code } }`. This module is not part of the index, because a client does not need it.
 *
 * @example
 * ```ts
 * import * as ErrorBody from "@effect-gradient/core/ErrorBody"
 *
 * const body = ErrorBody.make({ status: 404, message: "Model not found", code: ErrorBody.codes.modelNotFound })
 * // { error: { message: "Model not found", type: "not_found_error", param: null, code: "model_not_found" } }
 * const event = ErrorBody.toServerSentEvent(body) // "event: error\ndata: {...}\n\n"
 * ```
 */
import { eventNames } from "./internal/wire.ts"

/**
 * Values of `code` that this library knows. A server may also send others.
 *
 * @category wire
 * @since 0.1.0
 */
export { errorCodes as codes } from "./internal/wire.ts"

/**
 * The JSON body of an error.
 *
 * @category models
 * @since 0.1.0
 */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    /** The name of the wrong param on the wire, such as `output_format`. */
    readonly param: string | null
    readonly code: string | null
  }
}

/** The `type` of an error with one of these HTTP statuses. For any other status, see `typeOf`. */
const types: { readonly [status: number]: string } = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error"
}

/**
 * The `type` of an error with this HTTP status.
 *
 * @category wire
 * @since 0.1.0
 */
export const typeOf = (status: number): string =>
  types[status] ?? (status < 500 ? "invalid_request_error" : "server_error")

/**
 * Makes the JSON body of an error. The `type` follows from `status`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (fields: {
  readonly status: number
  readonly message: string
  readonly param?: string | undefined
  readonly code?: string | undefined
}): ErrorBody => {
  const { code = null, message, param = null, status } = fields
  return { error: { message, type: typeOf(status), param, code } }
}

/**
 * The error as text of a `text/event-stream`: an event that a server sends as the last one of a stream.
 *
 * @category converting
 * @since 0.1.0
 */
export const toServerSentEvent = (body: ErrorBody): string =>
  `event: ${eventNames.error}\ndata: ${JSON.stringify(body)}\n\n`
