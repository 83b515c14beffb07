/**
 * Lets an agent's calls with the same key share one outcome, so that a call repeated soon is not paid for twice. A host
 * may cancel a call that takes long, and repeat it, while the service is still generating its images. So a call
 * continues even if nobody waits for it. A call with the same key joins it, or, for 10 minutes after its end, gets its
 * outcome if that is final (see `make`).
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
import { drain } from "../drain.ts"
import { seconds } from "../output/format.ts"

/** For how long after a call has ended another call with the same key gets its outcome, if that is final. */
export const memory = Duration.minutes(10)

/** A call that is running makes a report at least this often. A host may give up on a call that reports nothing. */
const heartbeat = Duration.seconds(10)

/** Sends a message about the progress of a call to everyone who waits for it. */
export type Report = (message: string) => Effect.Effect<void>

/** A call that is running or has ended. */
interface Call<A> {
  /** The latest report. `undefined` once the call has ended. */
  readonly reports: SubscriptionRef.SubscriptionRef<string | undefined>
  readonly outcome: Deferred.Deferred<A>
  /** The time at which the outcome is forgotten, in milliseconds since 1970. Infinite while the call is running. */
  expiresAt: number
}

export interface Joined<A> {
  /** The latest report and all later ones, until the call ends. */
  readonly reports: Stream.Stream<string>
  readonly outcome: Effect.Effect<A>
}

const beating = (report: Report) =>
  Effect.flatMap(Clock.currentTimeMillis, (start) =>
    Clock.currentTimeMillis.pipe(
      Effect.flatMap((now) => report(`Waiting for the service, for ${seconds(now - start)} so far`)),
      Effect.delay(heartbeat),
      Effect.forever
    )
  )

/** `isFinal` decides whether an outcome is kept for later calls with its key. If not, the next call starts anew. */
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

  /** Joins the call with this key, or starts it. The call continues even if all who wait for it are interrupted. */
  const join = (key: string, work: (report: Report) => Effect.Effect<A>): Effect.Effect<Joined<A>> =>
    joining.withPermit(enter(key, work)).pipe(
      Effect.uninterruptible,
      Effect.map(({ outcome, reports }) => ({
        reports: Stream.takeWhile(SubscriptionRef.changes(reports), Predicate.isNotUndefined),
        outcome: Deferred.await(outcome)
      }))
    )

  /** Waits at most `drain` for calls that are running, because their images may be paid for. Then interrupts them. */
  const finish = Effect.gen(function* () {
    const running = Array.from(calls.values()).filter(({ expiresAt }) => expiresAt === Infinity)
    if (running.length > 0) yield* Effect.logWarning(`Waiting for ${running.length} calls whose images may be paid for`)
    const ended = Effect.forEach(running, ({ outcome }) => Effect.exit(Deferred.await(outcome)))
    yield* Effect.timeoutOption(ended, drain)
    yield* Scope.close(scope, Exit.void)
  })
  yield* Effect.addFinalizer(() => finish)
  return { join }
})
