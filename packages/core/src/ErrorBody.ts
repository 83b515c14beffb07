/**
 * The errors of the API as JSON, for a server that answers in its form: `{ error: { message, type, param, code } }`. It is not
 * part of the index, because a client does not need it.
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
 * The codes of errors that core knows. Others may be sent as well.
 *
 * @category wire
 * @since 0.1.0
 */
export { errorCodes as codes } from "./internal/wire.ts"

/**
 * The body of an error.
 *
 * @category models
 * @since 0.1.0
 */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    /** The wire name of the param that is wrong. */
    readonly param: string | null
    readonly code: string | null
  }
}

/** The `type` of an error by its status. `typeOf` also has a type for every other status. */
const types: { readonly [status: number]: string } = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error"
}

/**
 * The `type` of errors with this status.
 *
 * @category wire
 * @since 0.1.0
 */
export const typeOf = (status: number): string =>
  types[status] ?? (status < 500 ? "invalid_request_error" : "server_error")

/**
 * Makes the body of an error with this status.
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
 * The error as the last event of a stream.
 *
 * @category converting
 * @since 0.1.0
 */
export const toServerSentEvent = (body: ErrorBody): string =>
  `event: ${eventNames.error}\ndata: ${JSON.stringify(body)}\n\n`
