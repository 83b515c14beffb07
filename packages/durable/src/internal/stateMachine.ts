/**
 * The life of a generation as one pure function: which move changes a row of the journal, and into what. The journals in
 * memory and in SQL do the same; their tests compare them.
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

/** What a caller asked for, as the journal keeps it: never the prompt. */
export interface Asked {
  /** Absent after `erase`. */
  readonly key: string | undefined
  /** Params are compared by `v1:` and the HMAC-SHA-256 of their JSON under this salt. */
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
  /** The SHA-256 of the key, in hex. */
  readonly id: string
  /** `free`, `sending`, `doubt`, `abandoned`, `done` or `expired`; any other was written by a newer version. */
  readonly state: string
  /** From 1. */
  readonly attempt: number
  /** Identifies the permission to send this attempt. */
  readonly token: string
  /** The process that has the permission. */
  readonly holder: string
  /** The time, in milliseconds, until which the permission is valid even if its holder has not renewed its lease. */
  readonly leaseUntil: number
  /** Why it is in this state. */
  readonly note: string | undefined
  /** How many images the store has. */
  readonly images: number
  /** The folder in the store, within the one of the id. */
  readonly folder: string | undefined
  /** The folders of other attempts that returned images after this one was done. They were paid for too. */
  readonly extra: ReadonlyArray<string>
  readonly tokens: Tokens
  /** Milliseconds since 1970 by the journal's clock. */
  readonly createdAt: number
  readonly sentAt: number
  readonly updatedAt: number
}

/**
 * A change of a row. Each is one atomic statement. It changes the row if its condition holds, else nothing.
 *
 * - `Begin`: no row, or `free` -> `sending`. Also if the row is `sending` with this very token: a repeated statement
 *   must answer as the first did.
 * - `Release`: nothing was charged; `sending` with this token -> `free`.
 * - `Doubt`: something may have been charged; `sending` with this token -> `doubt`.
 * - `Complete`: the manifest is in the store; no row, or any state but `done` and `expired` -> `done`. The row gets what was
 *   asked for in the attempt of the manifest: another attempt may have had other params.
 * - `Extra`: another attempt brought its images after the generation was `done`; the row stays, and lists its folder.
 * - `Repeat`, `Abandon`: what a person decided about the attempt that is in doubt (`Repeat` also if it is abandoned).
 * - `Expire`: `done` -> `expired`. `Erase`: any state at rest -> `expired`, without what the caller asked for.
 * - `Forget`: removes a row at rest, if nothing has changed since it was read.
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
  Expire: {}
  Erase: {}
  Forget: { readonly token: string }
}>

/**
 * @category models
 * @since 0.1.0
 */
export const Move = Data.taggedEnum<Move>()

/** The note of a row after a person decided `repeat`. */
export const repeated = "repeat"

/** States that `Complete` may leave. */
export const completable: ReadonlyArray<string> = ["free", "sending", "doubt", "abandoned"]

/** States in which further attempts are added to `extra`. */
export const withExtra: ReadonlyArray<string> = ["done", "expired"]

/** States without a request under way or a decision to make: `Erase` and `Forget` may leave them. */
export const resting: ReadonlyArray<string> = ["done", "expired", "abandoned", "free"]

const noTokens: Tokens = { input: undefined, output: undefined, total: undefined }

/** Whether the permission to send has ended without an outcome. `holderUntil`: when the lease of its process ends. */
export const isLapsed = (row: Row, holderUntil: number, now: number): boolean =>
  row.state === "sending" && Math.max(row.leaseUntil, holderUntil) <= now

/** The row after a move; `undefined` if it is removed. */
export type Applied = { readonly row: Row | undefined }

/** Applies a move. `undefined` if its condition does not hold, so that nothing changes. */
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
      return row?.state === "done" ? to({ state: "expired", images: 0 }) : undefined
    case "Erase":
      return isResting ? to({ state: "expired", images: 0, ...erased }) : undefined
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

/** The row that is restored from a manifest. */
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
