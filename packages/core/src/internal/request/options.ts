/**
 * The options of a client and of a call, before they are checked.
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
 * Options for a layer or for a single call. The call's value overrides the layer's.
 *
 * @category models
 * @since 0.1.0
 */
export interface WaitingOptions {
  /**
   * The longest time from sending a request to the last byte of its reply; for a stream, to the reply's head. Default: 10
   * minutes.
   * A high-quality image takes 2 to 4 minutes.
   */
  readonly timeout?: Duration.Input | undefined
  /** The longest time between two bytes of a reply's body. Comments of a stream count. Default: 5 minutes. */
  readonly idleTimeout?: Duration.Input | undefined
  /** The longest time for a whole stream, from sending its request. Default: 30 minutes. */
  readonly deadline?: Duration.Input | undefined
  /** When to retry: a policy, or a schedule to use with `chargeSafe`. Default: `RetryPolicy.chargeSafe`. */
  readonly retry?: RetryPolicy.RetryPolicy | RetryPolicy.RetryPolicy["schedule"] | undefined
  /** Headers to add. A value of `null` removes the header. */
  readonly headers?: Readonly<Record<string, string | null>> | undefined
}

/**
 * Options of a client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends WaitingOptions {
  /** A model access key of serverless inference: `sk-do-...`. */
  readonly modelAccessKey?: Redacted.Redacted | undefined
  /** A personal access token: `dop_v1_...`. Used if there is no model access key. */
  readonly accessToken?: Redacted.Redacted | undefined
  /** The URL before `/images/generations`. It may have a query. Default: `https://inference.do-ai.run/v1`. */
  readonly baseUrl?: string | undefined
  /** The model of calls without `model`. Default: `openai-gpt-image-2`. */
  readonly model?: string | undefined
  /** Upper bounds on the memory used for one reply. */
  readonly limits?: Partial<Limits> | undefined
  /** Whether trace headers (`b3`, `traceparent`) are sent to the service. Default: false. */
  readonly propagateTrace?: boolean | undefined
  /**
   * Changes the HttpClient, for example with `HttpClient.withRateLimiter`. It must send through its argument, in the
   * fiber of the call. Each request is an attempt, and `timeout` starts when it is sent. If it repeats a request, that can
   * be charged again: `retry` does not apply to such repeats.
   */
  readonly transformClient?: ((client: HttpClient.HttpClient) => TransformedClient) | undefined
}

/**
 * A failed attempt that will be retried.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryEvent {
  /** Why the attempt failed. */
  readonly reason: GradientErrorReason
  /** The number of the attempt that failed, from 1. */
  readonly attempt: number
  /** The wait before the next attempt. */
  readonly delay: Duration.Duration
}

/**
 * Options of one call.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestOptions extends WaitingOptions {
  /** Runs after each failed attempt that will be retried, before the wait. */
  readonly onRetry?: ((event: RetryEvent) => Effect.Effect<void>) | undefined
  /** The header `Idempotency-Key`, the same for each attempt. 1 to 512 characters. */
  readonly idempotencyKey?: string | undefined
  /** Your own short strings, passed to `Attempt` entries, for records and costs. They are not sent. */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** Members to add to the request's body, for params that this library does not know. `stream` cannot be changed. */
  readonly extraBody?: Readonly<Record<string, unknown>> | undefined
}
