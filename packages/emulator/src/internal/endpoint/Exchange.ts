/**
 * One request and its reply, from its arrival to the last byte: what it cost, and whether the client waited for all of
 * it. The ledger and the log learn it from here.
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
import { setBody } from "./body.ts"
import { Connection } from "./Connection.ts"

/** What happens while a reply is made and sent notes it here. */
export interface State {
  charged: Ledger.Entry | undefined
  /** Whether a fault broke the connection, which otherwise looks as if the client had left. */
  isBroken: boolean
  /** Whether all images are among the `bytesMade`. */
  isMade: boolean
  /** Bytes of the body before faults held any of them back. */
  bytesMade: number
}

export class Exchange extends Context.Service<Exchange, State>()("@effect-gradient/emulator/Exchange") {}

type End = "answered" | "broken" | "left"

export interface ExchangeOptions {
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

/** The connection, which notes when a fault breaks it. */
const watch = (connection: Connection["Service"], state: State) =>
  Connection.of({
    ...connection,
    break: (how) =>
      Effect.suspend(() => {
        state.isBroken = true
        return connection.break(how)
      }),
    misframed: (body, contentLength) => {
      state.isBroken = contentLength > body.length
      return connection.misframed(body, contentLength)
    }
  })

/** Calls the endpoint, and once its reply has ended, notes how in the ledger and the log. */
export const follow = <E, R>(
  endpoint: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  { ledger, logRequests }: ExchangeOptions
) =>
  Effect.gen(function* () {
    const { method, url } = yield* HttpServerRequest.HttpServerRequest
    const start = yield* Clock.currentTimeMillis
    const state: State = { charged: undefined, isBroken: false, isMade: false, bytesMade: 0 }
    const end = Effect.fnUntraced(function* (how: End, status?: number) {
      const now = yield* DateTime.now
      if (how === "left" && state.charged !== undefined) yield* ledger.leave(state.charged.id, now)
      if (!logRequests) return
      const millis = DateTime.toEpochMillis(now) - start
      yield* Effect.logInfo(`${method} ${url} ${status ?? "-"} ${millis} ms, ${chargeOf(state)}${notes[how]}`)
    })
    const response = yield* endpoint.pipe(
      Effect.provideService(Connection, watch(yield* Connection, state)),
      Effect.provideService(Exchange, state),
      Effect.onExit((exit) =>
        Exit.isSuccess(exit) ? Effect.void : end(!state.isBroken && Cause.hasInterrupts(exit.cause) ? "left" : "broken")
      )
    )
    const { body, status } = response
    if (body._tag === "Stream") {
      const followed = followBody(body.stream, state, (how) => end(how, status))
      return setBody(response, HttpBody.stream(followed, body.contentType, body.contentLength))
    }
    yield* end("answered", status)
    return response
  })

/**
 * The exit of a stream does not tell whether its consumer left early, and a consumer that has all it wants does not ask
 * for the end. So a body is complete if it ended, or if all the bytes that were made were passed on.
 */
const followBody = <E>(
  body: Stream.Stream<Uint8Array, E>,
  state: State,
  end: (how: End) => Effect.Effect<void>
): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    let passed = 0
    let isComplete = false
    const complete = Effect.sync(() => {
      isComplete = true
    })
    return body.pipe(
      Stream.tap(({ length }) =>
        Effect.sync(() => {
          passed += length
        })
      ),
      Stream.concat(Stream.fromEffectDrain(complete)),
      Stream.ensuring(
        Effect.suspend(() => {
          if (state.isBroken) return end("broken")
          return end(isComplete || (state.isMade && passed >= state.bytesMade) ? "answered" : "left")
        })
      )
    )
  })
