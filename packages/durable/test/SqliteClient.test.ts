import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { mkdtempSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteClient } from "../src/node/index.ts"

const table = Effect.gen(function* () {
  const filename = join(mkdtempSync(join(tmpdir(), "sqlite-")), "otters.db")
  const sql = Context.get(yield* Layer.build(SqliteClient.layer({ filename })), SqlClient)
  yield* sql`CREATE TABLE otters (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)`
  const insert = (name: string | number | null) => sql`INSERT INTO otters (name) VALUES (${name}) RETURNING name`
  const names = Effect.map(sql`SELECT name FROM otters ORDER BY id`, (rows) => rows.map(({ name }) => name))
  return { filename, sql, insert, names }
})

const numbers = Array.from({ length: 50 }, (_, index) => `otter ${index}`)

describe("SqliteClient", () => {
  it.live("gives each of the writes that share a commit its own rows", () =>
    Effect.gen(function* () {
      const { insert, names } = yield* table
      const rows = yield* Effect.forEach(numbers, insert, { concurrency: "unbounded" })
      expect(rows.map(([row]) => row)).toEqual(numbers.map((name) => ({ name })))
      expect(yield* names).toEqual(numbers)
    }).pipe(Effect.scoped)
  )

  it.live("commits writes that wait at the same time together", () =>
    Effect.gen(function* () {
      const { filename, insert } = yield* table
      const size = () => statSync(`${filename}-wal`).size
      const before = size()
      yield* Effect.forEach(numbers, insert)
      const oneByOne = size() - before
      yield* Effect.forEach(numbers, (name) => insert(`another ${name}`), { concurrency: "unbounded" })
      // A commit writes every changed page to the write-ahead log. So if writes share commits, the log grows less.
      expect(size() - before - oneByOne).toBeLessThan(oneByOne / 5)
    }).pipe(Effect.scoped)
  )

  it.live("fails only the write that breaks a rule, not those that share its commit", () =>
    Effect.gen(function* () {
      const { insert, names } = yield* table
      const exits = yield* Effect.forEach(["a", "b", "a", null, "c"], (name) => Effect.exit(insert(name)), {
        concurrency: "unbounded"
      })
      expect(exits.map(Exit.isSuccess)).toEqual([true, true, false, false, true])
      expect(yield* names).toEqual(["a", "b", "c"])
    }).pipe(Effect.scoped)
  )

  it.live("keeps writes out of the transaction of another fiber", () =>
    Effect.gen(function* () {
      const { insert, names, sql } = yield* table
      const transaction = sql.withTransaction(
        Effect.gen(function* () {
          yield* insert("undone")
          yield* Effect.sleep("20 millis")
          return yield* Effect.fail("undo")
        })
      )
      const undone = yield* Effect.forkChild(Effect.exit(transaction), { startImmediately: true })
      yield* Effect.sleep("5 millis")
      yield* Effect.forEach(["a", "b"], insert, { concurrency: "unbounded" })
      expect(Exit.isFailure(yield* Fiber.join(undone))).toBe(true)
      expect(yield* names).toEqual(["a", "b"])
    }).pipe(Effect.scoped)
  )

  it.live("undoes all writes of a commit that fails, and fails each of them", () =>
    Effect.gen(function* () {
      const { insert, names, sql } = yield* table
      yield* sql`PRAGMA foreign_keys = ON`
      yield* sql`CREATE TABLE pups (parent INTEGER REFERENCES otters (id) DEFERRABLE INITIALLY DEFERRED)`
      const orphan = Effect.asVoid(sql`INSERT INTO pups (parent) VALUES (99)`)
      const both = [Effect.asVoid(insert("a")), orphan].map(Effect.exit)
      const exits = yield* Effect.all(both, { concurrency: "unbounded" })
      expect(exits.map(Exit.isSuccess)).toEqual([false, false])
      expect(yield* names).toEqual([])
      yield* insert("b")
      expect(yield* names).toEqual(["b"])
    }).pipe(Effect.scoped)
  )

  it.live("does not run a write whose caller has left before its turn", () =>
    Effect.gen(function* () {
      const { insert, names, sql } = yield* table
      const open = yield* Effect.forkChild(sql.withTransaction(Effect.sleep("30 millis")), { startImmediately: true })
      yield* Effect.sleep("5 millis")
      const left = yield* Effect.forkChild(insert("left"), { startImmediately: true })
      const stays = yield* Effect.forkChild(insert("stays"), { startImmediately: true })
      yield* Fiber.interrupt(left)
      yield* Fiber.join(open)
      yield* Fiber.join(stays)
      expect(yield* names).toEqual(["stays"])
    }).pipe(Effect.scoped)
  )
})
