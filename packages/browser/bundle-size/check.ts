/** Measures how much the library adds to a bundle, gzipped. Fails above the budget. */
import { rolldown } from "rolldown"
import { gzipSync } from "node:zlib"

// Decoding every kind of reply and error body that real servers send raised it from 12 kB to 23 kB.
const budget = 25_000

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
