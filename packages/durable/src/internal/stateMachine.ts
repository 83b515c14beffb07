/**
 * The states of a generation as one pure function, `apply`: it decides whether a move may change a row of the journal,
 * and returns the changed row. The journals in memory and in SQL follow the same rules. Tests compare them.
 */
import * as Data from "effect/Data"

/**
 * Tokens that the service counted.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tokens {
  readonly input: number | undefined
  readonly output: number | undefined
  readonly total: number | undefined
}

/** What a caller asked for, as far as the journal keeps it. The prompt is never kept. */
export interface Asked {
  /** Absent after `erase`. */
  readonly key: string | undefined
  /**
   * The salt of `digest`. `digest` is `v1:` and the HMAC-SHA-256 of the params, without `partialImages`, and of
   * `extraBody` as JSON. Two calls whose digests with the same salt are equal asked for the same images.
   */
  readonly salt: string | undefined
  readonly digest: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly model: string
  readonly n: number
}

/**
 * One row of the journal: a generation.
 *
 * @category models
 * @since 0.1.0
 */
export interface Row extends Asked {
  /** The SHA-256 of the key, in hexadecimal. */
  readonly id: string
  /**
   * `free`, `sending`, `doubt`, `abandoned`, `done` or `expired`. A newer version of this package may write other
   * states.
   */
  readonly state: string
  /** The number of the last attempt, from 1. */
  readonly attempt: number
  /** Identifies the permission to send this attempt. */
  readonly token: string
  /** The id of the process that got the permission to send. Empty if the row was restored from a manifest. */
  readonly holder: string
  /**
   * Until this time, the permission to send is valid even if the process has not renewed its lease. In milliseconds
   * since 1970.
   */
  readonly leaseUntil: number
  /** Why the row is `free` or `doubt`. */
  readonly note: string | undefined
  /** The number of stored images that the journal knows of. The images of `extra` are not counted. */
  readonly images: number
  /** The name of the folder with the images, within the folder of the generation's id in the store. */
  readonly folder: string | undefined
  /**
   * The folders of other attempts that returned images after the generation was done. These attempts were paid for too.
   */
  readonly extra: ReadonlyArray<string>
  readonly tokens: Tokens
  /** When the row was created, in milliseconds since 1970 by the journal's clock. */
  readonly createdAt: number
  readonly sentAt: number
  readonly updatedAt: number
}

/**
 * A change of a row, in one atomic statement. If the condition of the move does not hold, nothing is changed.
 *
 * - `Begin`: gives the permission to send: no row or `free` -> `sending`. A row that is `sending` with the same token
 *   stays `sending` and is returned, so that a repeated statement answers as the first one did.
 * - `Release`: nothing was charged for: `sending` with this token -> `free`.
 * - `Doubt`: a request may have been charged for: `sending` with this token -> `doubt`.
 * - `Complete`: the manifest is in the store: no row, or a state in `completable` -> `done`. The row takes over what
 *   was asked for from the manifest, because the row may be of another attempt with other params.
 * - `Extra`: another attempt stored images after the generation was `done` or `expired`. The state stays, and `extra`
 *   gets the folder of the attempt.
 * - `Repeat`: a person decided to allow another request: an attempt in doubt or `abandoned` -> `free`.
 * - `Abandon`: a person decided to allow no more requests: an attempt in doubt -> `abandoned`.
 * - `Expire`: the images are removed: `done` with this token -> `expired`.
 * - `Erase`: the images, the key, the labels and the digest of the params are removed: a state in `resting` with this
 *   token -> `expired`.
 * - `Forget`: removes a row in a state in `resting`, if the row still has this token.
 *
 * @category models
 * @since 0.1.0
 */
export type Move = Data.TaggedEnum<{
  Begin: Asked & { readonly token: string; readonly holder: string; readonly leaseMillis: number }
  Release: { readonly token: string; readonly note: string }
  Doubt: { readonly token: string; readonly note: string; readonly images: number }
  Complete: Asked & {
    readonly attempt: number
    readonly token: string
    readonly folder: string
    readonly images: number
    readonly tokens: Tokens
  }
  Extra: { readonly folder: string }
  Repeat: { readonly attempt: number }
  Abandon: { readonly attempt: number }
  Expire: { readonly token: string }
  Erase: { readonly token: string }
  Forget: { readonly token: string }
}>

/**
 * @category models
 * @since 0.1.0
 */
export const Move = Data.taggedEnum<Move>()

/** The note of a row for which a person decided `repeat`. */
export const repeated = "repeat"

/** The states that the move `Complete` changes to `done`. */
export const completable: ReadonlyArray<string> = ["free", "sending", "doubt", "abandoned"]

/** The states in which the move `Extra` adds the images of another attempt. */
export const withExtra: ReadonlyArray<string> = ["done", "expired"]

/**
 * The states in which no process has the permission to send and no decision is open. Only in these can a row be erased
 * or forgotten.
 */
export const resting: ReadonlyArray<string> = ["done", "expired", "abandoned", "free"]

const noTokens: Tokens = { input: undefined, output: undefined, total: undefined }

/**
 * Whether the permission to send has ended and no outcome was written. `holderUntil` is the time when the lease of the
 * process ends.
 */
export const isLapsed = (row: Row, holderUntil: number, now: number): boolean =>
  row.state === "sending" && Math.max(row.leaseUntil, holderUntil) <= now

/** The row after a move. `row` is `undefined` if the move removed the row. */
export type Applied = { readonly row: Row | undefined }

/** Applies a move to a row. Returns `undefined` if the condition of the move does not hold: then nothing changes. */
export const apply = (
  id: string,
  row: Row | undefined,
  move: Move,
  { holderUntil, now }: { readonly holderUntil: number; readonly now: number }
): Applied | undefined => {
  const to = (changes: Partial<Row>): Applied | undefined =>
    row === undefined ? undefined : { row: { ...row, ...changes, updatedAt: now } }
  const isHolders = (token: string) => row?.state === "sending" && row.token === token
  const isInDoubt = (attempt: number) =>
    row?.attempt === attempt && (row.state === "doubt" || isLapsed(row, holderUntil, now))
  const isDone = row !== undefined && withExtra.includes(row.state)
  const isResting = row !== undefined && resting.includes(row.state)

  switch (move._tag) {
    case "Begin":
      return begin(id, row, move, now)
    case "Release":
      return isHolders(move.token) ? to({ state: "free", note: move.note }) : undefined
    case "Doubt":
      return isHolders(move.token) ? to({ state: "doubt", note: move.note, images: move.images }) : undefined
    case "Complete":
      return complete(id, row, move, now)
    case "Extra":
      return isDone && row.folder !== move.folder && !row.extra.includes(move.folder)
        ? to({ extra: [...row.extra, move.folder] })
        : undefined
    case "Repeat":
      return isInDoubt(move.attempt) || (row?.state === "abandoned" && row.attempt === move.attempt)
        ? to({ state: "free", note: repeated })
        : undefined
    case "Abandon":
      return isInDoubt(move.attempt) ? to({ state: "abandoned", note: undefined }) : undefined
    case "Expire":
      return row?.state === "done" && row.token === move.token ? to({ state: "expired", images: 0 }) : undefined
    case "Erase":
      return isResting && row.token === move.token ? to({ state: "expired", images: 0, ...erased }) : undefined
    case "Forget":
      return isResting && row.token === move.token ? { row: undefined } : undefined
  }
}

const erased = { extra: [], key: undefined, salt: undefined, digest: undefined, labels: {} }

const begin = (
  id: string,
  row: Row | undefined,
  { _tag, leaseMillis, ...given }: Extract<Move, { _tag: "Begin" }>,
  now: number
): Applied | undefined => {
  if (row?.state === "sending" && row.token === given.token) return { row }
  if (row !== undefined && row.state !== "free") return undefined
  const sending = { ...given, state: "sending", note: undefined, images: 0, folder: undefined, tokens: noTokens }
  const times = { createdAt: row?.createdAt ?? now, sentAt: now, updatedAt: now, leaseUntil: now + leaseMillis }
  return { row: { ...sending, ...times, id, attempt: (row?.attempt ?? 0) + 1, extra: row?.extra ?? [] } }
}

/** The values of the fields that a manifest does not contain, for a row that is made from a manifest. */
const recorded = (now: number) => ({ holder: "", leaseUntil: now, extra: [], createdAt: now, sentAt: now })

const complete = (
  id: string,
  row: Row | undefined,
  { _tag, attempt, folder, images, token, tokens, ...asked }: Extract<Move, { _tag: "Complete" }>,
  now: number
): Applied | undefined => {
  if (row !== undefined && !completable.includes(row.state)) return undefined
  const done = { state: "done", note: undefined, images, folder, tokens, updatedAt: now }
  return row === undefined
    ? { row: { ...asked, ...done, ...recorded(now), id, attempt, token } }
    : { row: { ...row, ...asked, ...done } }
}
