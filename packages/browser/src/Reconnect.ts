/**
 * Reconnects after the connection to a durable gateway has broken. The gateway continues the request meanwhile.
 * `BrowserImages` only asks for the reply, and never sends the request again, so nothing is paid for twice.
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
  /**
   * How long to try, counted from the time when the connection broke. Then the call fails with its first error.
   * Default: 5 minutes.
   */
  readonly limit?: Duration.Input | undefined
  /**
   * Keeps requests until their images were taken, for `BrowserImages.pending`. The params, and so the prompts, are
   * stored too. `false` stores nothing. Default: `sessionStorage`, if the platform has it.
   */
  readonly storage?: Storage | false | undefined
}

/**
 * A reconnection that is about to happen: after `delay`, or as soon as the browser is online again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Event {
  /** The number of the reconnection, from 1. After an image has arrived, the next one is 1 again. */
  readonly attempt: number
  readonly delay: Duration.Duration
  readonly reason: GradientError.GradientErrorReason
}

/**
 * Runs before each reconnection. `ImageView.run` shows each reconnection in its status text. Default: does nothing.
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
