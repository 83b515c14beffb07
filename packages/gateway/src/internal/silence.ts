/**
 * Notices when a stream emits nothing for some time. It uses one timer for each stream. `Stream.timeoutOrElse` would
 * start several fibers and a timer for each chunk: with it, passing streams of images on took 1.4 times the CPU time.
 */
import type * as Arr from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"

/** Waits for a read, but at most `limitMillis`. */
class Patience {
  #waitingSince: number | undefined
  #giveUp = () => {}
  readonly #limitMillis: number
  readonly #clock: Clock.Clock

  constructor(limitMillis: number, clock: Clock.Clock) {
    this.#limitMillis = limitMillis
    this.#clock = clock
  }

  /**
   * Waits for the read, and returns its exit. Returns `undefined` if the read takes too long. The read then continues.
   */
  wait<A, E>(read: Fiber.Fiber<A, E>): Effect.Effect<Exit.Exit<A, E> | undefined> {
    return Effect.callback((resume) => {
      const end = (exit?: Exit.Exit<A, E>) => {
        this.#waitingSince = undefined
        resume(Effect.succeed(exit))
      }
      const stopObserving = read.addObserver(end)
      this.#giveUp = () => {
        stopObserving()
        end()
      }
      this.#waitingSince = this.#clock.currentTimeMillisUnsafe()
      return Effect.sync(() => this.#giveUp())
    })
  }

  /** Ends each wait that takes too long. It runs until it is interrupted. */
  readonly watch: Effect.Effect<never> = Effect.suspend(() => {
    const now = this.#clock.currentTimeMillisUnsafe()
    if (this.#waitingSince !== undefined && now >= this.#waitingSince + this.#limitMillis) this.#giveUp()
    return Effect.sleep(Math.max((this.#waitingSince ?? now) + this.#limitMillis - now, 1))
  }).pipe(Effect.forever)
}

/**
 * Runs `onSilence` each time that a read of the stream takes this long. `onSilence` can fail the stream. It can also
 * return chunks, which are emitted, or nothing. The read continues meanwhile.
 */
export const whenSilent =
  <E2>(limit: Duration.Input, onSilence: Effect.Effect<Arr.NonEmptyReadonlyArray<Uint8Array> | undefined, E2>) =>
  <E>(source: Stream.Stream<Uint8Array, E>): Stream.Stream<Uint8Array, E | E2> =>
    Stream.transformPull(
      source,
      Effect.fnUntraced(function* (pull, scope) {
        const patience = new Patience(Duration.toMillis(limit), yield* Clock.Clock)
        yield* Effect.forkIn(patience.watch, scope)
        /** The read that has not ended yet. It continues while other chunks are emitted. */
        let read: Fiber.Fiber<Arr.NonEmptyReadonlyArray<Uint8Array>, E | Cause.Done> | undefined
        const next: Pull.Pull<Arr.NonEmptyReadonlyArray<Uint8Array>, E | E2> = Effect.gen(function* () {
          read ??= yield* Effect.forkIn(pull, scope, { startImmediately: true })
          const exit = read.pollUnsafe() ?? (yield* patience.wait(read))
          if (exit === undefined) return (yield* onSilence) ?? (yield* next)
          read = undefined
          return yield* exit
        })
        return next
      })
    )
