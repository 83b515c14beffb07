/** Formats generations as a table and as JSON, with their totals. */
import type { Generation } from "@effect-gradient/durable"
import * as DateTime from "effect/DateTime"

type One = Generation.Generation

/** Whether the labels contain `wanted`, which is written as `name=value`. */
export const hasLabel = (labels: Readonly<Record<string, string>>, wanted: string): boolean =>
  Object.entries(labels).some(([name, value]) => `${name}=${value}` === wanted)

export const toJson = (one: One) => ({
  ...one,
  createdAt: DateTime.formatIso(one.createdAt),
  sentAt: DateTime.formatIso(one.sentAt),
  updatedAt: DateTime.formatIso(one.updatedAt)
})

const totalsOf = (all: ReadonlyArray<One>) => ({
  generations: all.length,
  images: all.reduce((sum, { images }) => sum + images, 0),
  /** The number of attempts that returned images after their generation was already done. They were paid for too. */
  extra: all.reduce((sum, { extra }) => sum + extra, 0),
  totalTokens: all.reduce((sum, { totalTokens = 0 }) => sum + totalTokens, 0)
})

export const summaryOf = (all: ReadonlyArray<One>) => ({ generations: all.map(toJson), totals: totalsOf(all) })

const heading = ["KEY", "STATUS", "ATTEMPT", "MODEL", "IMAGES", "TOKENS", "SENT", "NOTE"]

const noteOf = ({ extra, note = "" }: One) =>
  [note, extra > 0 && `paid for ${extra + 1} times`].filter(Boolean).join(", ")

const rowOf = (one: One) => {
  const { attempt, id, images, key, model, n, sentAt, status, totalTokens } = one
  return [
    key ?? id.slice(0, 12),
    status,
    String(attempt),
    model,
    `${images}/${n}`,
    String(totalTokens ?? "-"),
    DateTime.formatIso(sentAt),
    noteOf(one)
  ]
}

/** Returns a table: a heading, one line for each generation, then the totals. */
export const tableOf = (all: ReadonlyArray<One>): string => {
  const rows = [heading, ...all.map(rowOf)]
  const widths = heading.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd()
  )
  const { generations, images, totalTokens } = totalsOf(all)
  return [...lines, `${generations} generations, ${images} images, ${totalTokens} tokens`].join("\n")
}
