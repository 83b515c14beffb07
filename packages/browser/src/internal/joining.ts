/**
 * Makes calls that reconnect after their connection has broken: they ask the gateway for the reply to their request by
 * its id.
 */
import type { GradientError } from "@effect-gradient/core"
import {
  Attempt,
  GradientClient,
  type ImageGenerateParams,
  type ImageGenerateResponse,
  Images,
  type ImageGenStreamEvent,
  RetryPolicy
} from "@effect-gradient/core"
import * as ErrorBody from "@effect-gradient/core/ErrorBody"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Struct from "effect/Struct"
import { OnReconnect, type Options } from "../Reconnect.ts"
import { Purpose } from "./attemptId.ts"
import { type Kept, PendingStorage } from "./pendingStorage.ts"

type Event = ImageGenStreamEvent.ImageGenStreamEvent

type Response = ImageGenerateResponse.ImageGenerateResponse

type Failure = GradientError.GradientError

/**
 * The scope of `BrowserImages.pendingUntilDone`. After the images of a request that was sent within this scope have
 * arrived, the request stays pending until the scope closes with a success.
 */
export const PendingScope = Context.Reference<Scope.Scope | undefined>("@effect-gradient/browser/PendingScope", {
  defaultValue: () => undefined
})

class Request {
  id: string | undefined
  /** Whether all images of the request have arrived, or its stream has ended without a failure. */
  isComplete = false
  /**
   * Whether the call only asks for the reply. It does so if the request is from `pending`, or after the connection
   * broke.
   */
  isJoining = false
  /**
   * The first failure of the call. The call fails with it if reconnecting takes too long, or if the gateway does not
   * know the request or no longer accepts the caller.
   */
  failure: Failure | undefined
  /** When the connection broke for the first time since the last image, in milliseconds since 1970. */
  brokeAt = 0
  /** The number of reconnections since the last image. */
  attempts = 0
}

const firstWait = Duration.seconds(1)
const longestWait = Duration.seconds(15)

/**
 * The wait before a reconnection: none before the first, 1, 2, 4 and 8 seconds before the next four, then 15 seconds
 * before each.
 */
const waitBefore = (attempt: number) =>
  attempt === 1 ? Duration.zero : Duration.min(Duration.times(firstWait, 2 ** (attempt - 2)), longestWait)

/** Waits for the next `online` event of the browser. On platforms without this event, the wait never ends. */
const online = Effect.callback<void>((resume, signal) => {
  if ("addEventListener" in globalThis) {
    globalThis.addEventListener("online", () => resume(Effect.void), { once: true, signal })
  }
})

const brokenTags: ReadonlySet<GradientError.GradientErrorReason["_tag"]> = new Set([
  "ConnectionError",
  "DisconnectedError",
  "IncompleteStreamError",
  "RequestTimeoutError",
  "RateLimitError",
  "InternalServerError"
])

/**
 * Decides what a failure means for the images of the request:
 *
 * - `broken`: the connection, the gateway or a proxy in front of the gateway failed, a timeout expired, the browser
 *   sent the request twice, or a reconnection got a 429. The request may still be running, so the call reconnects.
 * - `failed`: reconnecting has no use, for example because nothing was sent. The call fails with this failure.
 * - `unknown`: the gateway does not know the request, or keeps no replies.
 * - `refused`: the gateway no longer accepts the caller. This says nothing about the request, which stays pending.
 */
const verdictOn = ({ isJoining }: Request, failure: Failure): "broken" | "failed" | "unknown" | "refused" => {
  const { _tag, code } = failure.reason
  if (!isJoining) {
    // The browser sent the request twice, and the gateway refused the second one. The first one may still be running.
    if (code === ErrorBody.codes.duplicateAttempt) return "broken"
    return failure.mayHaveBeenCharged && code !== ErrorBody.codes.inDoubt && brokenTags.has(_tag) ? "broken" : "failed"
  }
  if (_tag === "NotFoundError") return "unknown"
  if (_tag === "AuthenticationError" || _tag === "PermissionDeniedError") return "refused"
  return code !== ErrorBody.codes.inDoubt && brokenTags.has(_tag) ? "broken" : "failed"
}

/**
 * Returns a function that makes a filter for each stream of a call. The filter drops events which the call has already
 * emitted. It is needed because a stream that is joined begins with the completed images and the newest partial image.
 */
const makeUnseen = () => {
  let completed = 0
  let partial = -1
  return () => {
    let seen = 0
    return (event: Event) => {
      if (event._tag === "Completed") {
        seen += 1
        if (seen <= completed) return false
        completed = seen
        partial = -1
        return true
      }
      if (seen < completed || event.partialImageIndex <= partial) return false
      partial = event.partialImageIndex
      return true
    }
  }
}

/**
 * Emits the events of `first`. After a failure, runs `next`: if `next` succeeds, the stream continues with `join`, else
 * it fails. A failure of `join` is handled in the same way.
 */
const continuing = <A>(
  first: Stream.Stream<A, Failure>,
  next: (failure: Failure) => Effect.Effect<void, Failure>,
  join: Stream.Stream<A, Failure>
): Stream.Stream<A, Failure> => {
  const recover = (failure: Failure): Stream.Stream<A, Failure> =>
    Stream.unwrap(Effect.as(next(failure), Stream.catch(join, recover)))
  return Stream.catch(first, recover)
}

/** Makes `Images` with calls that reconnect, and the list of the pending requests. */
export const make = Effect.fnUntraced(function* ({ limit = "5 minutes", storage }: Options) {
  const limitMillis = Duration.toMillis(Duration.fromInputUnsafe(limit))
  const images = yield* Images.Images
  const client = yield* GradientClient.GradientClient
  const kept = new PendingStorage(storage, client.options.toUrl("/images/generations"))
  /** The ids of the requests of calls, or of `pendingUntilDone`, that run through this layer. */
  const running = new Set<string>()

  const forget = (request: Request) => {
    if (request.id !== undefined) kept.remove(request.id)
  }

  /**
   * Makes the `Purpose` of a call that sends its request. When core retries, it sends another id, which replaces the
   * earlier one, because a call joins only its last attempt.
   */
  const sending = (request: Request, params: Kept["params"], sentAt: number): Purpose => ({
    _tag: "Send",
    onSend: (id) => {
      forget(request)
      if (request.id !== undefined) running.delete(request.id)
      request.id = id
      running.add(id)
      kept.add({ id, params, sentAt })
    }
  })

  const end = (request: Request, failure: Failure) =>
    Effect.suspend(() => {
      forget(request)
      return Effect.fail(failure)
    })

  /**
   * Decides after a failure whether the call reconnects. If it does, waits until it is time to do so. Otherwise fails.
   */
  const next = (request: Request) =>
    Effect.fnUntraced(function* (failure: Failure) {
      const verdict = verdictOn(request, failure)
      request.failure ??= failure
      if (verdict === "failed") return yield* end(request, failure)
      if (verdict === "unknown") return yield* end(request, request.failure)
      const now = yield* Clock.currentTimeMillis
      if (request.attempts === 0) request.brokeAt = now
      if (verdict === "refused" || now - request.brokeAt >= limitMillis) return yield* request.failure
      request.isJoining = true
      request.attempts += 1
      const delay = waitBefore(request.attempts)
      yield* (yield* OnReconnect)({ attempt: request.attempts, delay, reason: failure.reason })
      yield* Effect.raceFirst(Effect.sleep(delay), online)
    })

  /**
   * Removes the request from `pending` when the scope of the call, or that of `pendingUntilDone`, closes with a success
   * and all images have arrived. If the page is left earlier, or the consumer fails, the request stays pending.
   */
  const tracked = Effect.fnUntraced(function* (request: Request) {
    const scope = (yield* PendingScope) ?? (yield* Effect.scope)
    yield* Scope.addFinalizerExit(scope, (exit) =>
      Effect.sync(() => {
        if (request.id !== undefined) running.delete(request.id)
        if (request.isComplete && Exit.isSuccess(exit)) forget(request)
      })
    )
  })

  const complete = (request: Request) =>
    Effect.sync(() => {
      request.isComplete = true
    })

  const joining = (request: Request, accept: string): Purpose | undefined =>
    request.id === undefined ? undefined : { _tag: "Join", id: request.id, accept }

  const unretried = { retry: RetryPolicy.none }

  const joinResponse = (request: Request, params: Kept["params"], options: GradientClient.RequestOptions) =>
    Effect.suspend(() => images.generate(Struct.omit(params, ["partialImages"]), { ...options, ...unretried })).pipe(
      Effect.updateService(Purpose, () => joining(request, "application/json")),
      // Joining a request cannot be charged for. It is not an attempt, so the entries of `Attempt.Around` do not run.
      Effect.provideService(Attempt.Around, [])
    )

  const joinEvents = (request: Request, params: Kept["params"], options: GradientClient.RequestOptions) =>
    Stream.suspend(() => images.generateStream(params, { ...options, ...unretried })).pipe(
      Stream.updateService(Purpose, () => joining(request, "text/event-stream")),
      Stream.updateService(Attempt.Around, () => [])
    )

  const response = (
    request: Request,
    first: Effect.Effect<Response, Failure>,
    join: Effect.Effect<Response, Failure>
  ) => {
    const recover = (failure: Failure): Effect.Effect<Response, Failure> =>
      Effect.andThen(next(request)(failure), Effect.catch(join, recover))
    return Effect.andThen(tracked(request), Effect.catch(first, recover)).pipe(
      Effect.tap(() => complete(request)),
      Effect.scoped
    )
  }

  const events = (
    request: Request,
    n: number,
    first: Stream.Stream<Event, Failure>,
    join: Stream.Stream<Event, Failure>
  ) => {
    const unseen = makeUnseen()
    let count = 0
    const once = (from: Stream.Stream<Event, Failure>) => Stream.suspend(() => Stream.filter(from, unseen()))
    return Stream.unwrap(Effect.as(tracked(request), continuing(once(first), next(request), once(join)))).pipe(
      Stream.tap((event) =>
        Effect.sync(() => {
          request.attempts = 0
          if (event._tag === "Completed") count += 1
          if (count >= n) request.isComplete = true
        })
      ),
      Stream.onEnd(complete(request))
    )
  }

  const generate = Effect.fnUntraced(function* (
    params: ImageGenerateParams.ImageGenerateParamsNonStreaming,
    options: GradientClient.RequestOptions = {}
  ) {
    const request = new Request()
    const purpose = sending(request, params, yield* Clock.currentTimeMillis)
    const first = Effect.provideService(images.generate(params, options), Purpose, purpose)
    return yield* response(request, first, joinResponse(request, params, options))
  })

  const generateStream = (
    params: ImageGenerateParams.ImageGenerateParamsStreaming,
    options: GradientClient.RequestOptions = {}
  ) =>
    Stream.unwrap(
      Effect.map(Clock.currentTimeMillis, (sentAt) => {
        const request = new Request()
        const purpose = sending(request, params, sentAt)
        const first = Stream.updateService(images.generateStream(params, options), Purpose, () => purpose)
        return events(request, params.n ?? 1, first, joinEvents(request, params, options))
      })
    )

  const pending = Effect.sync(() =>
    kept
      .list()
      .filter(({ id }) => !running.has(id))
      .map(({ id, params, sentAt }) => {
        const begin = Effect.sync(() => {
          running.add(id)
          return Object.assign(new Request(), { id, isJoining: true })
        })
        return {
          id,
          params,
          sentAt,
          response: Effect.flatMap(begin, (request) => {
            const join = joinResponse(request, params, {})
            return response(request, join, join)
          }),
          events: Stream.unwrap(
            Effect.map(begin, (request) => {
              const join = joinEvents(request, params, {})
              return events(request, params.n ?? 1, join, join)
            })
          ),
          forget: Effect.sync(() => kept.remove(id))
        }
      })
  )

  return { images: Images.Images.of({ generate, generateStream }), pending }
})
