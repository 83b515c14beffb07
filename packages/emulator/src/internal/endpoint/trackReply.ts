/**
 * Follows a request from its arrival until its reply is sent, its client leaves, or a fault breaks its connection. A
 * reply whose body is not a stream counts as sent when it is made. Then logs the request if `logRequests` is set, and
 * records in the ledger if the client left before all images were sent.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import type * as Ledger from "../../Ledger.ts"
import { Connection } from "./Connection.ts"
import { setBody } from "./faultyBody.ts"

/** The state of a reply. The code that makes and sends the reply updates it. */
export interface State {
  /** The entry of the request in the ledger. `undefined` as long as nothing has been charged. */
  charged: Ledger.Entry | undefined
  /** Whether a fault breaks the connection. If so, the client does not count as one that left. */
  isBroken: boolean
  /** Whether all final images of the request have been made, even if a fault drops them. */
  hasAllImages: boolean
  /**
   * The number of bytes of the body that have been made so far: after faultyText.ts has applied a fault, and before
   * faultyBody.ts delays, drops or encodes them.
   */
  bytesMade: number
}

/** The state of the current request's reply. */
export class ReplyState extends Context.Service<ReplyState, State>()("@effect-gradient/emulator/ReplyState") {}

type End = "answered" | "broken" | "left"

export interface TrackOptions {
  readonly ledger: Ledger.Ledger["Service"]
  readonly logRequests: boolean
}

const chargeOf = ({ charged }: State): string =>
  charged === undefined ? "not charged" : `charged: ${charged.n} x ${charged.model}`

const notes: { readonly [end in End]: string } = {
  answered: "",
  broken: ", the connection was broken by a fault",
  left: ", the client left"
}

/** Extends the connection, so that the state records whether a fault breaks it. */
const recordBreak = (connection: Connection["Service"], state: State) =>
  Connection.of({
    ...connection,
    break: (kind) =>
      Effect.suspend(() => {
        state.isBroken = true
        return connection.break(kind)
      }),
    withWrongLength: (body, contentLength) => {
      state.isBroken = contentLength > body.length
      return connection.withWrongLength(body, contentLength)
    }
  })

/**
 * Runs the endpoint, and calls `finish` at the end of the request. `finish` logs the request if `logRequests` is set.
 * If the request was charged for, and its client left before all images were sent, `finish` records that in the
 * ledger.
 */
export const trackReply = <E, R>(
  endpoint: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  { ledger, logRequests }: TrackOptions
) =>
  Effect.gen(function* () {
    const { method, url } = yield* HttpServerRequest.HttpServerRequest
    const start = yield* Clock.currentTimeMillis
    const state: State = { charged: undefined, isBroken: false, hasAllImages: false, bytesMade: 0 }
    const finish = Effect.fnUntraced(function* (end: End, status?: number) {
      const now = yield* DateTime.now
      if (end === "left" && state.charged !== undefined) yield* ledger.leave(state.charged.id, now)
      if (!logRequests) return
      const millis = DateTime.toEpochMillis(now) - start
      yield* Effect.logInfo(`${method} ${url} ${status ?? "-"} ${millis} ms, ${chargeOf(state)}${notes[end]}`)
    })
    const response = yield* endpoint.pipe(
      Effect.provideService(Connection, recordBreak(yield* Connection, state)),
      Effect.provideService(ReplyState, state),
      Effect.onExit((exit) =>
        Exit.isSuccess(exit)
          ? Effect.void
          : finish(!state.isBroken && Cause.hasInterrupts(exit.cause) ? "left" : "broken")
      )
    )
    const { body, status } = response
    if (body._tag === "Stream") {
      const tracked = trackBody(body.stream, state, (end) => finish(end, status))
      return setBody(response, HttpBody.stream(tracked, body.contentType, body.contentLength))
    }
    yield* finish("answered", status)
    return response
  })

/**
 * Calls `finish` when the body has ended or its reader has left. A stream's exit does not show which of the two
 * happened, and a client that has all images may leave without reading to the end. So unless a fault broke the
 * connection, the request counts as answered if the body ended, or if all images were made and as many bytes were sent
 * as had been made. Otherwise the client has left.
 */
const trackBody = <E>(
  body: Stream.Stream<Uint8Array, E>,
  state: State,
  finish: (end: End) => Effect.Effect<void>
): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    let sentBytes = 0
    let isComplete = false
    const complete = Effect.sync(() => {
      isComplete = true
    })
    return body.pipe(
      Stream.tap(({ length }) =>
        Effect.sync(() => {
          sentBytes += length
        })
      ),
      Stream.concat(Stream.fromEffectDrain(complete)),
      Stream.ensuring(
        Effect.suspend(() => {
          if (state.isBroken) return finish("broken")
          return finish(isComplete || (state.hasAllImages && sentBytes >= state.bytesMade) ? "answered" : "left")
        })
      )
    )
  })
