/** What the library adds to a bundle, gzipped: fails above the budget. */
import { rolldown } from "rolldown"
import { gzipSync } from "node:zlib"

// Reading every reply that real servers send, with their own words in each failure, took it from 12 kB to 23 kB.
const budget = 24_000

const gzipped = async (entry: string) => {
  const bundle = await rolldown({ input: `${import.meta.dirname}/${entry}`, platform: "browser" })
  const { output } = await bundle.generate({ format: "esm", minify: true })
  await bundle.close()
  return output.reduce(
    (bytes, part) => bytes + (part.type === "chunk" ? gzipSync(part.code, { level: 9 }).length : 0),
    0
  )
}

const added = (await gzipped("images.ts")) - (await gzipped("effect.ts"))
process.stdout.write(`Images on fetch add ${added} bytes gzipped to Effect; the budget is ${budget}.\n`)
process.exitCode = added > budget ? 1 : 0
