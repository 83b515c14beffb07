/**
 * What the emulator would have charged for. A generation is entered when the service accepts the work, as the real one
 * charges: a client that leaves before its images arrive has paid for them all the same.
 */
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"

/**
 * A generation that would have been charged for.
 *
 * @category models
 */
export class Entry extends Schema.Class<Entry>("@effect-gradient/emulator/Ledger/Entry")({
  /** The reply's `x-request-id`. */
  id: Schema.String,
  prompt: Schema.String,
  model: Schema.String,
  /** How many images. */
  n: Schema.Int,
  /** When the work was accepted. */
  at: Schema.DateTimeUtc,
  /** When the client closed the connection, if that was before it had all its images. */
  leftAt: Schema.optionalKey(Schema.DateTimeUtc)
}) {}

/**
 * Everything so far, as `GET /emulator/ledger` gives it in JSON.
 *
 * @category models
 */
export class Account extends Schema.Class<Account>("@effect-gradient/emulator/Ledger/Account")({
  /** How many requests for a generation arrived, charged for or not. */
  requests: Schema.Int,
  entries: Schema.Array(Entry)
}) {}

/**
 * The ledger of one emulator.
 *
 * @category services
 */
export class Ledger extends Context.Service<
  Ledger,
  {
    /** Everything entered so far. */
    readonly account: Effect.Effect<Account>
    /** Counts a request. */
    readonly count: Effect.Effect<void>
    readonly enter: (entry: Entry) => Effect.Effect<void>
    /** Notes that the client of the entry with this id left. */
    readonly leave: (id: string, leftAt: DateTime.Utc) => Effect.Effect<void>
  }
>()("@effect-gradient/emulator/Ledger") {}

/**
 * An empty ledger.
 *
 * @category layers
 */
export const layer: Layer.Layer<Ledger> = Layer.effect(
  Ledger,
  Effect.map(Ref.make(new Account({ requests: 0, entries: [] })), (ref) =>
    Ledger.of({
      account: Ref.get(ref),
      count: Ref.update(ref, ({ entries, requests }) => new Account({ requests: requests + 1, entries })),
      enter: (entry) =>
        Ref.update(ref, ({ entries, requests }) => new Account({ requests, entries: [...entries, entry] })),
      leave: (id, leftAt) =>
        Ref.update(ref, ({ entries, requests }) => {
          const noted = entries.map((entry) => (entry.id === id ? new Entry({ ...entry, leftAt }) : entry))
          return new Account({ requests, entries: noted })
        })
    })
  )
)

/**
 * The codec of `GET /emulator/ledger`.
 *
 * @category codecs
 */
export const Json = Schema.toCodecJson(Account)
