/**
 * What happens when the connection to a durable gateway breaks: `BrowserImages` joins the request, which goes on without it.
 * It only asks for the reply, and never sends the request again, so nothing is paid for twice.
 */
import type { GradientError } from "@effect-gradient/core"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * How `BrowserImages` reconnects.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The maximum time since the connection broke. Then the call fails as it would have at first. Default: 5 minutes. */
  readonly limit?: Duration.Input | undefined
  /**
   * Keeps the requests whose images have not arrived, for `BrowserImages.pending`: with their params, and so with their
   * prompts. `false` keeps none. Default: `sessionStorage`, if there is one.
   */
  readonly storage?: Storage | false | undefined
}

/**
 * The connection broke, and the reply is asked for after `delay`, or as soon as the browser is online again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Event {
  /** Counts from 1. It starts again when an image arrives. */
  readonly attempt: number
  readonly delay: Duration.Duration
  readonly reason: GradientError.GradientErrorReason
}

/**
 * Runs before each reconnection. `ImageView.run` shows these in its status text. Default: does nothing.
 *
 * @example
 * ```ts
 * import { Reconnect } from "@effect-gradient/browser"
 * import { Images } from "@effect-gradient/core"
 * import { Effect } from "effect"
 *
 * const program = Images.generate({ prompt: "A cute baby sea otter" }).pipe(
 *   Effect.provideService(Reconnect.OnReconnect, ({ attempt }) => Effect.log("Reconnecting", attempt))
 * )
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const OnReconnect = Context.Reference<(event: Event) => Effect.Effect<void>>(
  "@effect-gradient/browser/OnReconnect",
  { defaultValue: () => () => Effect.void }
)
