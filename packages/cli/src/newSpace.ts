/**
 * Bounds the memory of a long run. By default, V8 lets its new space, for young objects, grow to 128 MB, and collects old ones
 * late in proportion.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"

const mostBytes = 32 * 1024 * 1024

const isFull = () =>
  getHeapSpaceStatistics().some(({ space_name, space_size }) => space_name === "new_space" && space_size >= mostBytes)

/**
 * Runs until it is interrupted. V8 reads its option `--max-semi-space-size` only when the process starts, but the factor of the
 * growth each time. It also shrinks the space of an idle process, which may grow again.
 */
export const boundNewSpace: Effect.Effect<void> = Effect.suspend(() => {
  let factor = 2
  return Effect.sync(() => {
    const wanted = isFull() ? 1 : 2
    if (wanted !== factor) setFlagsFromString(`--semi-space-growth-factor=${wanted}`)
    factor = wanted
  }).pipe(Effect.repeat(Schedule.spaced("100 millis")), Effect.asVoid)
})
