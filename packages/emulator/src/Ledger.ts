/**
 * Records the requests that the real service would have charged for. A request is entered when it is accepted, because
 * the service charges for it from then on, even if the client leaves before its images arrive.
 */
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"

/**
 * A request for images that would have been charged for.
 *
 * @category models
 * @since 0.1.0
 */
export class Entry extends Schema.Class<Entry>("@effect-gradient/emulator/Ledger/Entry")({
  /** The id of the request, as in the reply's `x-request-id`. */
  id: Schema.String,
  prompt: Schema.String,
  model: Schema.String,
  /** The number of images that the request asks for. */
  n: Schema.Int,
  /** When the request was accepted. */
  at: Schema.DateTimeUtc,
  /**
   * When the client left. Only set if it left before all images were sent; a connection that a fault broke does not
   * count.
   */
  leftAt: Schema.optionalKey(Schema.DateTimeUtc)
}) {}

/**
 * The content of a ledger. `GET /emulator/ledger` returns it as JSON.
 *
 * @category models
 * @since 0.1.0
 */
export class Account extends Schema.Class<Account>("@effect-gradient/emulator/Ledger/Account")({
  /** The number of requests for images that arrived, charged for or not. */
  requests: Schema.Int,
  entries: Schema.Array(Entry)
}) {}

/**
 * The ledger of one emulator.
 *
 * @category services
 * @since 0.1.0
 */
export class Ledger extends Context.Service<
  Ledger,
  {
    /** Returns what the ledger contains now. */
    readonly account: Effect.Effect<Account>
    /** Counts a request for images. */
    readonly count: Effect.Effect<void>
    /** Adds an entry. */
    readonly enter: (entry: Entry) => Effect.Effect<void>
    /** Records that the client of the entry with this id left. */
    readonly leave: (id: string, leftAt: DateTime.Utc) => Effect.Effect<void>
  }
>()("@effect-gradient/emulator/Ledger") {}

/**
 * An empty ledger.
 *
 * @category layers
 * @since 0.1.0
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
 * The codec of an account as JSON, as `GET /emulator/ledger` returns it.
 *
 * @category codecs
 * @since 0.1.0
 */
export const Json = Schema.toCodecJson(Account)
