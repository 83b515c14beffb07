/** The options of a client and of a call, as the caller gives them. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Redacted from "effect/Redacted"
import type { GradientErrorReason } from "../../GradientError.ts"
import type * as RetryPolicy from "../../RetryPolicy.ts"
import type { TransformedClient } from "../attempt/transport.ts"
import type { Limits } from "../reply/limits.ts"

/**
 * Options for a layer or for a single call. The call's value overrides the layer's; `headers` are merged by name.
 *
 * @category models
 * @since 0.1.0
 */
export interface WaitingOptions {
  /**
   * The longest time from sending a request until its reply is complete, or, for a stream, until the reply's head
   * arrives. Default: 10 minutes. A high-quality image takes 2 to 4 minutes.
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * The longest wait for the next byte of a reply's body, in calls of `Images`. Comments in a stream also count as
   * bytes. Default: 5 minutes.
   */
  readonly idleTimeout?: Duration.Input | undefined
  /**
   * The longest time from sending the request of a stream to the end of the stream, not counting the time that the
   * consumer takes between events. Until the reply's head arrives, only `timeout` applies. Default: 30 minutes.
   */
  readonly deadline?: Duration.Input | undefined
  /**
   * When to retry: a policy, or only a schedule for the failures that `chargeSafe` retries. Default:
   * `RetryPolicy.chargeSafe`.
   */
  readonly retry?: RetryPolicy.RetryPolicy | RetryPolicy.RetryPolicy["schedule"] | undefined
  /** Headers to add to each request. The value `null` removes a header of the layer, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string | null>> | undefined
}

/**
 * Options of a client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends WaitingOptions {
  /** A model access key for serverless inference, of the form `sk-do-...`. */
  readonly modelAccessKey?: Redacted.Redacted | undefined
  /** A personal access token, of the form `dop_v1_...`. Used if `modelAccessKey` is not set. */
  readonly accessToken?: Redacted.Redacted | undefined
  /**
   * The URL of the API, without `/images/generations`. It may have a query. Default: `https://inference.do-ai.run/v1`,
   * unless `layerFromConfig` reads another from the environment.
   */
  readonly baseUrl?: string | undefined
  /**
   * The model for calls that do not set `model`. Default: `openai-gpt-image-2`, unless `layerFromConfig` reads another
   * from the environment.
   */
  readonly model?: string | undefined
  /** The most bytes of each part of a reply: of an image, of the other JSON, and of a line without data. */
  readonly limits?: Partial<Limits> | undefined
  /** Whether trace headers (`b3`, `traceparent`) are sent to the service. Default: false. */
  readonly propagateTrace?: boolean | undefined
  /**
   * Changes the HttpClient, for example with `HttpClient.withRateLimiter`. The new client must send its requests with
   * the HttpClient that is passed in, in the fiber of the call. Each request for images is a new attempt, and its
   * `timeout` starts when it is sent. If the new client repeats a request, the service can charge again: `retry` does
   * not control these repeats.
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
  /**
   * The key of the call, 1 to 512 characters. It is sent as the header `Idempotency-Key` with each attempt, so a header
   * must be able to contain its characters. `DurableImages` sends the SHA-256 of the key instead.
   */
  readonly idempotencyKey?: string | undefined
  /**
   * Short strings of your own, which `Attempt` entries can read, for example to record costs. They are not sent to the
   * service.
   */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /**
   * Members to add to the request's body, for params that this library does not know. They override params of the same
   * name, but cannot change `stream`.
   */
  readonly extraBody?: Readonly<Record<string, unknown>> | undefined
}
