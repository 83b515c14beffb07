/**
 * Compares the results of the calls, and the service's counts of requests, with the expected ones.
 */
import { Schema } from "effect"
import type { Account } from "./imagesService.ts"

const Row = Schema.Struct({
  name: Schema.String,
  outcome: Schema.String,
  images: Schema.Int,
  attempts: Schema.Int,
  mayHaveBeenCharged: Schema.Boolean
})

const Printed = Schema.Struct({
  runs: Schema.Array(
    Schema.Struct({ layer: Schema.String, rows: Schema.Array(Row), refusal: Schema.optionalKey(Schema.String) })
  ),
  imageFile: Schema.optionalKey(Schema.Boolean)
})

/** Decodes what a program returned: the results of its calls, and whether it could write an image file. */
export const decodePrinted = Schema.decodeSync(Schema.fromJsonString(Printed))

interface Counts {
  readonly outcome: string
  readonly images?: number
  readonly attempts: number
  readonly requests: number
  readonly charged: number
}

interface Expected extends Counts {
  readonly what: string
  /** By the name of a runtime, the values that are different on it. */
  readonly except?: Readonly<Record<string, Partial<Counts>>>
}

const paid = { attempts: 1, requests: 1, charged: 1 }
/** The counts of a case with two calls, of which the first succeeds and the second fails. */
const paidTwice = { attempts: 1, requests: 2, charged: 2 }

/**
 * The exception for Chromium: in these cases it sends a request again by itself when the connection closes before the
 * headers.
 */
const resent = (first: typeof paid) => ({ Chromium: { requests: first.requests + 1, charged: first.charged + 1 } })

/** The expected results, by the name of the case. */
export const cases: Readonly<Record<string, Expected>> = {
  json: { what: "a good reply", outcome: "ok", images: 1, ...paid },
  stream: { what: "a good stream", outcome: "ok", images: 2, ...paid },
  slow: { what: "a reply after 1.5 s", outcome: "ok", images: 1, ...paid },
  busy: { what: "429, three times", outcome: "RateLimitError", attempts: 3, requests: 3, charged: 0 },
  refused: {
    what: "a refused connection",
    outcome: "ConnectionError",
    attempts: 3,
    requests: 0,
    charged: 0,
    // workerd and Chromium give the same error for a refused connection and for a connection that breaks later.
    except: {
      workerd: { outcome: "DisconnectedError", attempts: 1 },
      Chromium: { outcome: "DisconnectedError", attempts: 1 }
    }
  },
  redirect: { what: "a redirect", outcome: "InvalidResponseError", attempts: 1, requests: 1, charged: 0 },
  break: {
    what: "connection broken before the headers",
    outcome: "DisconnectedError",
    ...paid,
    except: resent(paid)
  },
  "break-kept": {
    what: "reused connection broken before the headers",
    outcome: "DisconnectedError",
    ...paidTwice,
    except: resent(paidTwice)
  },
  "break-kept-stream": {
    what: "reused connection broken before the headers of a stream",
    outcome: "DisconnectedError",
    ...paidTwice,
    except: resent(paidTwice)
  },
  "break-body": { what: "connection broken within the body", outcome: "DisconnectedError", ...paid },
  "break-stream": { what: "connection broken within a stream", outcome: "DisconnectedError", images: 1, ...paid },
  "end-stream": { what: "a stream without its last event", outcome: "IncompleteStreamError", images: 1, ...paid },
  "stall-head": { what: "no reply within `timeout`", outcome: "RequestTimeoutError", ...paid },
  "stall-body": { what: "no bytes within `idleTimeout`", outcome: "RequestTimeoutError", ...paid },
  leave: { what: "a stream that the caller leaves", outcome: "ok", images: 1, ...paid }
}

/** The result of a case on one runtime through one layer. */
export interface Result {
  readonly name: string
  readonly outcome: string
  readonly attempts: number
  readonly requests: number
  readonly charged: number
  /** The differences between the result and the expected one, in words. */
  readonly wrong: ReadonlyArray<string>
}

/** The results of all calls through one layer on one runtime. */
export interface Run {
  readonly runtime: string
  readonly layer: string
  /** The error message if the layer cannot be built. */
  readonly refusal: string | undefined
  readonly results: ReadonlyArray<Result>
}

const resultOf = (runtime: string, row: typeof Row.Type, account: Account | undefined): Result => {
  const expectedOfCase = cases[row.name]
  const { attempts, images, mayHaveBeenCharged, name, outcome } = row
  const { charged = 0, left = false, requests = 0 } = account ?? {}
  if (expectedOfCase === undefined) throw new Error(`unknown case: ${name}`)
  const actual = { outcome, images, attempts, requests, charged }
  const expected = {
    images: outcome === "ok" ? images : (expectedOfCase.images ?? 0),
    ...expectedOfCase,
    ...expectedOfCase.except?.[runtime]
  }
  const differences = Object.entries(actual).filter(([key, value]) => Reflect.get(expected, key) !== value)
  const wrong = [
    ...differences.map(([key, value]) => `${key} is ${value}, expected ${String(Reflect.get(expected, key))}`),
    ...(charged > 0 && !mayHaveBeenCharged
      ? ["the error says that nothing was charged for, but the service charged"]
      : []),
    ...(name === "leave" && !left ? ["the connection was still open 2.5 s after the first event"] : [])
  ]
  return { name, outcome, attempts, requests, charged, wrong }
}

/** The first part of the path of all requests that a runtime sends to the service. */
export const pathOf = (runtime: string) => `/${runtime.replace(" ", "-")}`

/** The results of all calls on a runtime, for each layer. */
export const runsOf = (
  runtime: string,
  { runs }: typeof Printed.Type,
  accounts: ReadonlyMap<string, Account>
): ReadonlyArray<Run> =>
  runs.map(({ layer, refusal, rows }) => ({
    runtime,
    layer,
    refusal,
    results: rows.map((row) => resultOf(runtime, row, accounts.get(`${pathOf(runtime)}/${layer}/${row.name}`)))
  }))
