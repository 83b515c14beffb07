/** On workerd: each request makes the calls and gets what came of them. */
import { BrowserImages } from "@effect-gradient/browser"
import { runCases } from "./imagesCases.ts"

/** What the bundler puts in. */
declare const ARGUMENTS: readonly [service: string, refused: string]

const [service, refused] = ARGUMENTS

const run = async () => ({
  runs: [
    {
      layer: "BrowserImages",
      rows: await runCases(BrowserImages.layer, { refused, service: `${service}/BrowserImages` })
    }
  ]
})

// oxlint-disable-next-line import/no-default-export -- the form that workerd asks for
export default { fetch: async () => Response.json(await run()) }
