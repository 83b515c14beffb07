/** An error reply in the API's form: status, message, type, param and code. */
import * as Data from "effect/Data"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

interface Fields {
  readonly status: number
  readonly message: string
  /** The wire name of the param that is wrong. */
  readonly param?: string | undefined
  readonly code?: string | undefined
}

export class ApiError extends Data.TaggedError("ApiError")<Fields> {}

/** The error types of the API by status. `typeOf` knows the rest. */
const types: { readonly [status: number]: string } = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error"
}

/** The type of errors with this status. */
export const typeOf = (status: number): string =>
  types[status] ?? (status < 500 ? "invalid_request_error" : "server_error")

/** The body of an error reply. */
export const bodyOf = ({ code, message, param, status }: Fields) => ({
  error: { message, type: typeOf(status), param: param ?? null, code: code ?? null }
})

/** The error as a response. */
export const toResponse = (error: ApiError): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(bodyOf(error), { status: error.status })
