import { Images } from "@effect-gradient/core"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DurableImages, GenerationJournal } from "../src/index.ts"
import { onDisk as provideOnDisk, type Places, type Provided } from "./support/onDisk.ts"
import { service } from "./support/processes.ts"

const { Move } = GenerationJournal

/**
 * Runs an effect with a lease of 1 second. The lease is short because a call waits until two reads of the journal, a
 * third of a lease apart, have found a permission lapsed.
 */
const onDisk = <A, E>(places: Places, effect: Effect.Effect<A, E, Provided>) =>
  provideOnDisk(places, effect, { lease: "1 second" })

const idOf = (key: string) => createHash("sha256").update(key).digest("hex")

const ask = (key: string) =>
  Effect.map(Images.generate({ prompt: "a sea otter", n: 2 }, { idempotencyKey: key }), ({ data }) =>
    data.map(({ bytes }) => createHash("sha256").update(bytes).digest("hex"))
  )

const askAll = (keys: ReadonlyArray<string>) => Effect.forEach(keys, ask)

/** Gives a key the row that it had when the backup was made, with one attempt. */
const begin = (key: string, then: (token: string) => ReadonlyArray<GenerationJournal.Move>, digest?: string) =>
  Effect.gen(function* () {
    const journal = yield* GenerationJournal.GenerationJournal
    const token = `token of ${key}`
    const asked = { key, salt: "of the test", digest, labels: {}, model: "m", n: 2 }
    yield* journal.move(idOf(key), Move.Begin({ ...asked, token, holder: "of the test", leaseMillis: 1 }))
    yield* Effect.forEach(then(token), (move) => journal.move(idOf(key), move))
  })

const before = ["before 1", "before 2"]
const refused = "was refused before the backup"
const doubtful = "was in doubt at the backup, and repeated later"
const sent = "was under way at the backup, and repeated later"
const after = ["after 1", "after 2", "after 3"]
const later = [refused, doubtful, sent, ...after]

/**
 * Restores a journal from a backup. The store is newer: it also has the images of the keys in `later`, which were
 * generated after the backup.
 */
const restored = Effect.gen(function* () {
  const { baseUrl, generations } = yield* service
  const folder = mkdtempSync(join(tmpdir(), "restore-"))
  const [current, backup] = [join(folder, "current"), join(folder, "backup")]
  mkdirSync(current)
  const places = { baseUrl, journal: join(current, "journal.db"), store: join(folder, "images") }

  const made = yield* onDisk(
    places,
    Effect.gen(function* () {
      // The refused attempt had other params. After a refusal, a call may have other params.
      yield* begin(refused, (token) => [Move.Release({ token, note: "ContentPolicyError" })], "v1:of other params")
      yield* begin(doubtful, (token) => [Move.Doubt({ token, note: "DisconnectedError", images: 0 })])
      yield* begin(sent, () => [])
      return yield* askAll(before)
    })
  )
  cpSync(current, backup, { recursive: true })
  const madeLater = yield* onDisk(
    places,
    Effect.gen(function* () {
      // In this time, the permission of `sent` lapses.
      yield* Effect.sleep("10 millis")
      for (const key of [doubtful, sent]) yield* DurableImages.resolve(key, { attempt: 1, as: "repeat" })
      return yield* askAll(later)
    })
  )
  rmSync(current, { recursive: true })
  cpSync(backup, current, { recursive: true })
  return { places, generations, images: [...made, ...madeLater] }
})

const expectPaidOnce = (generations: ReadonlyMap<string, number>) => {
  expect([...generations]).toEqual([...before, ...later].map((key) => [idOf(key), 1]))
}

describe("a journal that is restored from an older backup", () => {
  it.live("pays for nothing twice: every later key is answered from the store, with the same bytes", () =>
    Effect.gen(function* () {
      const { generations, images, places } = yield* restored
      expect(yield* onDisk(places, askAll([...before, ...later]))).toEqual(images)
      expect(yield* onDisk(places, askAll([...before, ...later]))).toEqual(images)
      expectPaidOnce(generations)
    }).pipe(Effect.scoped)
  )

  it.live("has all its rows again after reconcile, which gives those that it changed", () =>
    Effect.gen(function* () {
      const { generations, images, places } = yield* restored
      const statuses = Effect.map(
        Stream.runCollect(DurableImages.list()),
        (rows) => new Map(rows.map(({ key, status }) => [key, status]))
      )
      const reconciled = yield* onDisk(
        places,
        Effect.gen(function* () {
          expect(new Set((yield* statuses).keys())).toEqual(new Set([...before, refused, doubtful, sent]))
          const changed = yield* Stream.runCollect(DurableImages.reconcile)
          expect(yield* Stream.runCollect(DurableImages.reconcile)).toEqual([])
          return { changed, all: yield* statuses }
        })
      )
      expect(reconciled.changed.length).toBe(later.length)
      expect(new Set(reconciled.changed.map(({ key }) => key))).toEqual(new Set(later))
      expect(reconciled.all).toEqual(new Map([...before, ...later].map((key) => [key, "done"])))
      expect(yield* onDisk(places, askAll([...before, ...later]))).toEqual(images)
      expectPaidOnce(generations)
    }).pipe(Effect.scoped)
  )
})
