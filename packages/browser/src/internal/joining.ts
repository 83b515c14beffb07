/** Calls that reconnect after their connection has broken: they join their request by its id, and get its images. */
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

/** The scope of `BrowserImages.pendingUntilDone`. Requests within it stay pending until it closes with a success. */
export const PendingScope = Context.Reference<Scope.Scope | undefined>("@effect-gradient/browser/PendingScope", {
  defaultValue: () => undefined
})

/** A request and its state. */
class Request {
  id: string | undefined
  /** Whether all images have arrived. */
  isComplete = false
  /**
   * Whether the call only asks for the reply, because the request was sent by an earlier page or its connection broke.
   */
  isJoining = false
  /** The first failure of the call. */
  failure: Failure | undefined
  /** When the connection broke, and the number of reconnections since the last image. */
  brokeAt = 0
  attempts = 0
}

const firstWait = Duration.seconds(1)
const longestWait = Duration.seconds(15)

/** The wait before a reconnection: none before the first, then 1, 2, 4, 8 and always 15 seconds. */
const waitBefore = (attempt: number) =>
  attempt === 1 ? Duration.zero : Duration.min(Duration.times(firstWait, 2 ** (attempt - 2)), longestWait)

/** Waits until the browser is online again. Platforms other than browsers have no such event. */
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
 * What a failure means for the images:
 *
 * - `broken`: the connection, the gateway or a proxy before it failed. The request may still be running.
 * - `failed`: no images will arrive, and this failure is the reason.
 * - `unknown`: the gateway does not know the request, or keeps no replies.
 * - `refused`: the gateway no longer accepts the caller, so its answer says nothing about the request.
 */
const verdictOn = ({ isJoining }: Request, failure: Failure): "broken" | "failed" | "unknown" | "refused" => {
  const { _tag, code } = failure.reason
  if (!isJoining) {
    // The request was resent, and the first one is still running.
    if (code === ErrorBody.codes.duplicateAttempt) return "broken"
    return failure.mayHaveBeenCharged && code !== ErrorBody.codes.inDoubt && brokenTags.has(_tag) ? "broken" : "failed"
  }
  if (_tag === "NotFoundError") return "unknown"
  if (_tag === "AuthenticationError" || _tag === "PermissionDeniedError") return "refused"
  return code !== ErrorBody.codes.inDoubt && brokenTags.has(_tag) ? "broken" : "failed"
}

/**
 * Drops events that were already emitted, because a joined stream begins with its completed images and its newest
 * partial image.
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

/** Runs `first`. After each failure that `next` recovers from, runs `join`. */
const continuing = <A>(
  first: Stream.Stream<A, Failure>,
  next: (failure: Failure) => Effect.Effect<void, Failure>,
  join: Stream.Stream<A, Failure>
): Stream.Stream<A, Failure> => {
  const recover = (failure: Failure): Stream.Stream<A, Failure> =>
    Stream.unwrap(Effect.as(next(failure), Stream.catch(join, recover)))
  return Stream.catch(first, recover)
}

/** Makes `Images` that reconnects, and lists the requests that an earlier page left. */
export const make = Effect.fnUntraced(function* ({ limit = "5 minutes", storage }: Options) {
  const limitMillis = Duration.toMillis(Duration.fromInputUnsafe(limit))
  const images = yield* Images.Images
  const client = yield* GradientClient.GradientClient
  const kept = new PendingStorage(storage, client.options.toUrl("/images/generations"))
  /** The ids of the calls that run in this page. */
  const running = new Set<string>()

  const forget = (request: Request) => {
    if (request.id !== undefined) kept.remove(request.id)
  }

  /** A retry of core sends another id, because nothing was charged for the last one. */
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

  /** Waits before the request is joined, or fails if joining it cannot help. */
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
   * The images of a request are taken when the scope of the call closes with a success. A page that is closed before, or a
   * consumer that fails, leaves the request pending.
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
      // Nothing is sent that can be charged for, so this is not an attempt.
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
