/** What the endpoint does not do, and how it says so: the API's error form, with the parameter's name. */
import * as Data from "effect/Data"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

export class Refusal extends Data.TaggedError("Refusal")<{
  readonly status: number
  readonly message: string
  /** The parameter of the wire that is at fault. */
  readonly param?: string
  readonly code?: string
}> {}

const types: { readonly [status: number]: string } = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error"
}

export const typeOf = (status: number): string =>
  types[status] ?? (status < 500 ? "invalid_request_error" : "server_error")

export const toResponse = ({ code, message, param, status }: Refusal): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(
    { error: { message, type: typeOf(status), param: param ?? null, code: code ?? null } },
    { status }
  )
