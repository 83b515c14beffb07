/** An error reply in the API's form: status, message, type, param and code. */
import * as ErrorBody from "@effect-gradient/core/ErrorBody"
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

export const toResponse = (error: ApiError): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(ErrorBody.make(error), { status: error.status })
