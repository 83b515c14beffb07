/** What the program printed, what the service saw of it, and what is right. */
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

/** What a program printed. */
export const decodePrinted = Schema.decodeSync(Schema.fromJsonString(Printed))

interface Right {
  readonly what: string
  readonly outcome: string
  readonly images?: number
  readonly attempts: number
  readonly requests: number
  readonly charged: number
  /** What differs on a runtime, by its name. */
  readonly except?: Readonly<Record<string, { readonly outcome: string; readonly attempts: number }>>
}

const paid = { attempts: 1, requests: 1, charged: 1 }
/** A first call that goes well, and a second one. */
const paidTwice = { attempts: 1, requests: 2, charged: 2 }

/** The cases, with what is right on every runtime. */
export const cases: Readonly<Record<string, Right>> = {
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
    // Its error is the same for a connection that was refused and for one that broke.
    except: { workerd: { outcome: "DisconnectedError", attempts: 1 } }
  },
  redirect: { what: "a redirect", outcome: "InvalidResponseError", attempts: 1, requests: 1, charged: 0 },
  break: { what: "broken before the head", outcome: "DisconnectedError", ...paid },
  "break-kept": { what: "... on a connection that was kept", outcome: "DisconnectedError", ...paidTwice },
  "break-kept-stream": { what: "... and of a stream", outcome: "DisconnectedError", ...paidTwice },
  "break-body": { what: "broken within the body", outcome: "DisconnectedError", ...paid },
  "break-stream": { what: "broken within a stream", outcome: "DisconnectedError", images: 1, ...paid },
  "end-stream": { what: "a stream without its last event", outcome: "IncompleteStreamError", images: 1, ...paid },
  "stall-head": { what: "no reply within `timeout`", outcome: "RequestTimeoutError", ...paid },
  "stall-body": { what: "no bytes within `idleTimeout`", outcome: "RequestTimeoutError", ...paid },
  leave: { what: "a stream that is left", outcome: "ok", images: 1, ...paid }
}

/** A call on one runtime through one layer. */
export interface Result {
  readonly name: string
  readonly outcome: string
  readonly attempts: number
  readonly requests: number
  readonly charged: number
  /** What is not right; empty if all is. */
  readonly wrong: ReadonlyArray<string>
}

/** What came of one layer on one runtime. */
export interface Run {
  readonly runtime: string
  readonly layer: string
  /** Why the layer was not built. */
  readonly refusal: string | undefined
  readonly results: ReadonlyArray<Result>
}

const resultOf = (runtime: string, row: typeof Row.Type, account: Account | undefined): Result => {
  const right = cases[row.name]
  const { attempts, images, mayHaveBeenCharged, name, outcome } = row
  const { charged = 0, left = false, requests = 0 } = account ?? {}
  if (right === undefined) throw new Error(`no such case: ${name}`)
  const seen = { outcome, images, attempts, requests, charged }
  const expected = { images: outcome === "ok" ? images : (right.images ?? 0), ...right, ...right.except?.[runtime] }
  const differences = Object.entries(seen).filter(([key, value]) => Reflect.get(expected, key) !== value)
  const wrong = [
    ...differences.map(([key, value]) => `${key} is ${value}, right is ${String(Reflect.get(expected, key))}`),
    ...(charged > 0 && !mayHaveBeenCharged ? ["the error says that nothing was charged"] : []),
    ...(name === "leave" && !left ? ["the connection stays open"] : [])
  ]
  return { name, outcome, attempts, requests, charged, wrong }
}

/** What came of the layers on a runtime. */
export const runsOf = (
  runtime: string,
  { runs }: typeof Printed.Type,
  accounts: ReadonlyMap<string, Account>
): ReadonlyArray<Run> =>
  runs.map(({ layer, refusal, rows }) => ({
    runtime,
    layer,
    refusal,
    results: rows.map((row) => resultOf(runtime, row, accounts.get(`/${runtime}/${layer}/${row.name}`)))
  }))
