/** Provides a SQL client for the journal, on Node's own SQLite. */
export * as SqliteClient from "./SqliteClient.ts"
