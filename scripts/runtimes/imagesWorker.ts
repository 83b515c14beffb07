/** The worker for workerd: a request makes the calls, and the response is their results. */
import { BrowserImages } from "@effect-gradient/browser"
import { runCases } from "./imagesCases.ts"

/** The bundler replaces this constant. */
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

// oxlint-disable-next-line import/no-default-export -- workerd requires it
export default { fetch: async () => Response.json(await run()) }
