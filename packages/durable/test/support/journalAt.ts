import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { GenerationJournal } from "../../src/index.ts"
import { SqliteClient } from "../../src/node/index.ts"

/** Opens the journal in this SQLite file, or in the PostgreSQL database with this URL. */
export const journalAt = (journal: string) => {
  const sql = journal.startsWith("postgres:")
    ? PgClient.layer({ url: Redacted.make(journal) })
    : SqliteClient.layer({ filename: journal })
  return Effect.map(Layer.build(GenerationJournal.layerSql().pipe(Layer.provide(sql))), (context) =>
    Context.get(context, GenerationJournal.GenerationJournal)
  )
}
