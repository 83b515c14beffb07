/**
 * Measures how many bytes the library adds to two gzipped bundles. Fails if it adds more to one of them than its
 * budget.
 */
import { rolldown } from "rolldown"
import { gzipSync } from "node:zlib"

/** The budgets in bytes. */
const budgets = [
  // This budget grew from 12 kB to 23 kB when the library began to decode more kinds of replies and error bodies that
  // servers send. Later it grew further, for example by 0.5 kB for the telemetry of attempts, where each attempt has a
  // span that lasts until its outcome, by 0.2 kB because the end of a body is read, so that Chromium does not report the
  // request as failed, by 0.1 kB because errors do not show a key that was given as another option, and by 0.3 kB because
  // the requests that a `transformClient` repeats count as attempts.
  { name: "Images on fetch", entry: "images.ts", budget: 25_800 },
  // The bundle of `browser.ts` can also reconnect when a connection breaks, and keeps requests over a reload.
  { name: "BrowserImages", entry: "browser.ts", budget: 27_500 }
]

const gzipped = async (entry: string) => {
  const bundle = await rolldown({ input: `${import.meta.dirname}/${entry}`, platform: "browser" })
  const { output } = await bundle.generate({ format: "esm", minify: true })
  await bundle.close()
  return output.reduce(
    (bytes, part) => bytes + (part.type === "chunk" ? gzipSync(part.code, { level: 9 }).length : 0),
    0
  )
}

const effect = await gzipped("effect.ts")
for (const { budget, entry, name } of budgets) {
  const added = (await gzipped(entry)) - effect
  process.stdout.write(`${name}: ${added} bytes gzipped in addition to Effect; the budget is ${budget}.\n`)
  if (added > budget) process.exitCode = 1
}
