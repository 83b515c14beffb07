/**
 * Options and events of reconnections.
 *
 * A durable gateway continues a request whose page has lost its connection. `BrowserImages` reconnects and asks for the
 * reply. A reconnection never sends the request again, so it is not charged for.
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
   * How long the call tries to reconnect, counted from the time when the connection broke. If the connection breaks
   * again after this time, the call fails with its first failure. After an image has arrived, the time begins anew when
   * the connection breaks again. Default: 5 minutes.
   */
  readonly limit?: Duration.Input | undefined
  /**
   * Where requests are kept until their images have been taken, for `BrowserImages.pending`. The params are stored too,
   * and so the prompts. `false`: nothing is stored. With `localStorage`, which tabs share, `pending` also lists
   * requests that run in other tabs. Default: `sessionStorage`, if the platform has it.
   */
  readonly storage?: Storage | false | undefined
}

/**
 * A reconnection that will be made after `delay`, or earlier, as soon as the browser is online again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Event {
  /** The number of the reconnection, from 1. After an image has arrived, the count begins at 1 again. */
  readonly attempt: number
  readonly delay: Duration.Duration
  readonly reason: GradientError.GradientErrorReason
}

/**
 * A function that runs before each reconnection and before the wait for it. The default does nothing. `ImageView.run`
 * adds a function that shows the reconnection in its status text.
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
