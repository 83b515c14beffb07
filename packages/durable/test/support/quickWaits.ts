import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Only waits that are shorter are skipped, so that a timeout of minutes does not end a request that is on its way. */
const longest = Duration.toMillis("1 minute")

/**
 * Runs an effect with a clock on which waits of less than a minute take no time: when one starts, the clock is moved
 * forward by its length. A test of repetitions over a real socket then does not wait for them, and what is limited by
 * the time that has passed still ends. An effect that waits again and again in the background, such as the renewal of a
 * lease, would never rest on this clock.
 */
export const withQuickWaits = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Clock.clockWith((live) => {
    let skipped = 0
    const nanos = () => BigInt(Math.round(skipped * 1_000_000))
    const currentTimeMillisUnsafe = () => live.currentTimeMillisUnsafe() + skipped
    const currentTimeNanosUnsafe = () => live.currentTimeNanosUnsafe() + nanos()
    const monotonicTimeNanosUnsafe = () => live.monotonicTimeNanosUnsafe() + nanos()
    return Effect.provideService(effect, Clock.Clock, {
      currentTimeMillisUnsafe,
      currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
      currentTimeNanosUnsafe,
      currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
      monotonicTimeNanosUnsafe,
      monotonicTimeNanos: Effect.sync(monotonicTimeNanosUnsafe),
      sleep: (duration) => {
        const millis = Duration.toMillis(duration)
        if (millis >= longest) return live.sleep(duration)
        return Effect.suspend(() => {
          skipped += millis
          return Effect.yieldNow
        })
      }
    })
  })
