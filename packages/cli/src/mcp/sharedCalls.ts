/**
 * Calls that are paid for once. A host that loses patience cancels a call and repeats it, while the service is still
 * generating. So a call runs to its end even if nobody waits for it, and the same call joins it or gets its outcome.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { seconds } from "../output/format.ts"

/** How long the same call gets the outcome of the first one. */
export const memory = Duration.minutes(10)

/** How long calls that were sent may take to finish when the process is stopped: as long as a reply may take. */
const drain = Duration.minutes(10)

/** How often a waiting host gets a report. A host may give up on a call that reports nothing. */
const heartbeat = Duration.seconds(10)

/** Reports what happens to those who wait for the call. */
export type Report = (message: string) => Effect.Effect<void>

/** A call that is running or has ended. */
interface Call<A> {
  /** The latest report. Undefined when the call has ended. */
  readonly reports: SubscriptionRef.SubscriptionRef<string | undefined>
  readonly outcome: Deferred.Deferred<A>
  /** When its outcome is forgotten, in milliseconds since 1970. Infinite while it is running. */
  expiresAt: number
}

/** The result of joining a call. */
export interface Joined<A> {
  /** The latest report and those that follow, until the call has ended. */
  readonly reports: Stream.Stream<string>
  readonly outcome: Effect.Effect<A>
}

const beating = (report: Report) =>
  Effect.flatMap(Clock.currentTimeMillis, (start) =>
    Clock.currentTimeMillis.pipe(
      Effect.flatMap((now) => report(`Waiting for the service since ${seconds(now - start)}`)),
      Effect.delay(heartbeat),
      Effect.forever
    )
  )

/** `isFinal` decides whether an outcome is kept for the same call. A call with another outcome is sent again. */
export const make = Effect.fnUntraced(function* <A>(isFinal: (outcome: A) => boolean) {
  const calls = new Map<string, Call<A>>()
  const joining = yield* Semaphore.make(1)
  const scope = yield* Scope.make()

  const end = Effect.fnUntraced(function* (key: string, call: Call<A>, exit: Exit.Exit<A>) {
    const now = yield* Clock.currentTimeMillis
    if (Exit.isSuccess(exit) && isFinal(exit.value)) call.expiresAt = now + Duration.toMillis(memory)
    else calls.delete(key)
    yield* Deferred.done(call.outcome, exit)
    yield* SubscriptionRef.set(call.reports, undefined)
  })

  const start = Effect.fnUntraced(function* (key: string, work: (report: Report) => Effect.Effect<A>) {
    const reports = yield* SubscriptionRef.make<string | undefined>("Asking the service")
    const call: Call<A> = { reports, outcome: yield* Deferred.make<A>(), expiresAt: Infinity }
    calls.set(key, call)
    const report = (message: string) => SubscriptionRef.set(reports, message)
    yield* Effect.forkChild(beating(report)).pipe(
      Effect.andThen(work(report)),
      Effect.onExit((exit) => end(key, call, exit)),
      Effect.forkIn(scope)
    )
    return call
  })

  const enter = Effect.fnUntraced(function* (key: string, work: (report: Report) => Effect.Effect<A>) {
    const now = yield* Clock.currentTimeMillis
    for (const [known, { expiresAt }] of calls) if (expiresAt <= now) calls.delete(known)
    return calls.get(key) ?? (yield* start(key, work))
  })

  /** Joins the call of this key, or starts it. The call continues if whoever waits for it is interrupted. */
  const join = (key: string, work: (report: Report) => Effect.Effect<A>): Effect.Effect<Joined<A>> =>
    joining.withPermit(enter(key, work)).pipe(
      Effect.uninterruptible,
      Effect.map(({ outcome, reports }) => ({
        reports: Stream.takeWhile(SubscriptionRef.changes(reports), Predicate.isNotUndefined),
        outcome: Deferred.await(outcome)
      }))
    )

  /** Waits for what was sent: its images are paid for. */
  const finish = Effect.gen(function* () {
    const running = Array.from(calls.values()).filter(({ expiresAt }) => expiresAt === Infinity)
    if (running.length > 0) yield* Effect.logWarning(`Waiting for ${running.length} calls that are paid for`)
    const ended = Effect.forEach(running, ({ outcome }) => Effect.exit(Deferred.await(outcome)))
    yield* Effect.timeoutOption(ended, drain)
    yield* Scope.close(scope, Exit.void)
  })
  yield* Effect.addFinalizer(() => finish)
  return { join }
})
