/**
 * The options of a client and of a call, as a user gives them.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Redacted from "effect/Redacted"
import type { GradientErrorReason } from "../../GradientError.ts"
import type * as RetryPolicy from "../../RetryPolicy.ts"
import type { TransformedClient } from "../attempt/transport.ts"
import type { Limits } from "../reply/limits.ts"

/**
 * Options for a layer or for a single call. The call's value wins.
 *
 * @category models
 */
export interface WaitingOptions {
  /**
   * From sending a request to the last byte of its reply; for a stream, to the head of the reply. Default: 10 minutes.
   * A high-quality image takes 2 to 4 minutes.
   */
  readonly timeout?: Duration.Input | undefined
  /** The longest silence within a reply's body. Comments count as bytes. Default: 5 minutes. */
  readonly idleTimeout?: Duration.Input | undefined
  /** The longest time for a whole stream, from sending its request. Default: 30 minutes. */
  readonly deadline?: Duration.Input | undefined
  /** When to retry: a policy, or a schedule for the default policy. Default: `RetryPolicy.chargeSafe`. */
  readonly retry?: RetryPolicy.RetryPolicy | RetryPolicy.RetryPolicy["schedule"] | undefined
  /** Headers to add. A header of `null` is removed. */
  readonly headers?: Readonly<Record<string, string | null>> | undefined
}

/**
 * Options of a client.
 *
 * @category models
 */
export interface Options extends WaitingOptions {
  /** A model access key of serverless inference: `sk-do-...`. */
  readonly modelAccessKey?: Redacted.Redacted | undefined
  /** A personal access token: `dop_v1_...`. Used if there is no model access key. */
  readonly accessToken?: Redacted.Redacted | undefined
  /** The address before `/images/generations`; it may have a query. Default: `https://inference.do-ai.run/v1`. */
  readonly baseUrl?: string | undefined
  /** The model of calls that name none. Default: `openai-gpt-image-2`. */
  readonly model?: string | undefined
  /** Upper bounds on the memory used for one reply. */
  readonly limits?: Partial<Limits> | undefined
  /** Whether trace headers (`b3`, `traceparent`) are sent to the service. Default: false. */
  readonly propagateTrace?: boolean | undefined
  /**
   * Changes the HttpClient, for example with `HttpClient.withRateLimiter`. It must send through the client that it is
   * given, in the fiber of the call. Each request is an attempt: `timeout` starts when it is sent, and a repeated
   * request can be charged again, whatever `retry` says.
   */
  readonly transformClient?: ((client: HttpClient.HttpClient) => TransformedClient) | undefined
}

/**
 * A failed attempt that will be retried.
 *
 * @category models
 */
export interface RetryEvent {
  /** Why the attempt failed. */
  readonly reason: GradientErrorReason
  /** The number of the attempt that failed, from 1. */
  readonly attempt: number
  /** The time until the next attempt. */
  readonly delay: Duration.Duration
}

/**
 * Options of one call.
 *
 * @category models
 */
export interface RequestOptions extends WaitingOptions {
  /** Runs after each failed attempt that will be retried, before the wait. */
  readonly onRetry?: ((event: RetryEvent) => Effect.Effect<void>) | undefined
  /** Sent as `Idempotency-Key`, the same on each attempt. 1 to 512 characters. */
  readonly idempotencyKey?: string | undefined
  /** Short strings of your own that go with the call, for records and costs. They are not sent. */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** Members to add to the request's body: params that this library does not know. `stream` cannot be set. */
  readonly extraBody?: Readonly<Record<string, unknown>> | undefined
}
