/**
 * Copies a batch into the store: its lines in files that are called parts, and a description that is written last.
 * Runners read the params from the copy, so that the database contains no prompts.
 */
import { GradientError } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { ImageStore } from "../../ImageStore.ts"
import type { Identity } from "../identity.ts"
import * as Reasons from "../failureReasons.ts"
import type { StoreFailure } from "../storeModels.ts"
import { type Checked, linesInPart, numbered } from "./check.ts"
import { parseLine, type Request } from "./line.ts"

type Store = ImageStore["Service"]

const Description = Schema.fromJsonString(
  Schema.Struct({
    version: Schema.Literal(1),
    name: Schema.String,
    digest: Schema.String,
    total: Schema.Int
  })
)
const decode = Schema.decodeUnknownEffect(Description)
const encode = Schema.encodeSync(Description)

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const ofStore = <A>(effect: Effect.Effect<A, StoreFailure>) =>
  Effect.mapError(effect, (failure) => GradientError.fromReason(Reasons.storeBefore(failure)))

const folderOf = (identity: Identity, name: string) =>
  Effect.map(identity.sha256(encoder.encode(name)), (hash) => `batches/${hash}`)

/**
 * The path of a part. It contains the batch's digest, so that the parts of an unfinished copy are never mistaken for
 * parts of a changed file.
 */
const partName = (digest: string, part: number) => `${digest}/lines-${String(part).padStart(8, "0")}.jsonl`

/** Finds the batch that the store has under this name. */
export const find = Effect.fnUntraced(function* (store: Store, identity: Identity, name: string) {
  const folder = yield* folderOf(identity, name)
  const found = yield* ofStore(store.get(`${folder}/batch.json`))
  if (Option.isNone(found)) return Option.none<Checked>()
  const description = yield* Effect.mapError(decode(decoder.decode(found.value)), (cause) =>
    GradientError.fromReason(
      Reasons.storeBefore({ message: `the batch ${name} cannot be read: ${cause.message}`, cause })
    )
  )
  return Option.some<Checked>(description)
})

/**
 * Copies the lines of a checked batch. Parts that already exist are kept. Returns the batch that the store then has
 * under this name: another one if another process has written its own at the same time.
 */
export const write = Effect.fnUntraced(function* <E, R>(
  store: Store,
  identity: Identity,
  name: string,
  checked: Checked,
  lines: Stream.Stream<string, E, R>
) {
  const folder = yield* folderOf(identity, name)
  yield* Stream.grouped(numbered(lines), linesInPart).pipe(
    Stream.zipWithIndex,
    Stream.runForEach(([part, index]) =>
      ofStore(
        store.put(
          `${folder}/${partName(checked.digest, index)}`,
          encoder.encode(part.map(({ text }) => text).join("\n"))
        )
      )
    )
  )
  const description = encode({ version: 1, name, digest: checked.digest, total: checked.total })
  yield* ofStore(store.put(`${folder}/batch.json`, encoder.encode(description)))
  return Option.getOrElse(yield* find(store, identity, name), () => checked)
})

/** Reads the requests of a part. Fails if the part or one of its requests is missing. */
export const readPart = Effect.fnUntraced(function* (
  store: Store,
  identity: Identity,
  { digest, name, total }: Checked & { readonly name: string },
  part: number
) {
  const folder = yield* folderOf(identity, name)
  const path = `${folder}/${partName(digest, part)}`
  const found = yield* ofStore(store.get(path))
  if (Option.isNone(found)) {
    const message = `the store has lost ${path}, a part of the batch ${name}`
    return yield* GradientError.fromReason(Reasons.storeBefore({ message, cause: undefined }))
  }
  const requests = decoder
    .decode(found.value)
    .split("\n")
    .flatMap((text): ReadonlyArray<Request> => {
      const parsed = parseLine(text)
      return Result.isSuccess(parsed) ? [parsed.success] : []
    })
  const expected = Math.min(linesInPart, total - part * linesInPart)
  if (requests.length === expected) return requests
  const message = `${path} has only ${requests.length} of ${expected} requests of the batch ${name}`
  return yield* GradientError.fromReason(Reasons.storeBefore({ message, cause: undefined }))
})
