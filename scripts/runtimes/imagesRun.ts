/** Makes the calls through `BrowserImages` where there are no files: in workerd and in a page. */
import { BrowserImages } from "@effect-gradient/browser"
import { type MakeLayer, runCases, type Servers } from "./imagesCases.ts"

// A page would return to its gateway for 5 minutes after a broken connection. The service of these calls keeps no images.
const makeLayer: MakeLayer = (options) => BrowserImages.layer({ ...options, reconnect: false })

export const runImages = async ({ refused, service }: Servers) => ({
  runs: [
    {
      layer: "BrowserImages",
      rows: await runCases(makeLayer, { refused, service: `${service}/BrowserImages` })
    }
  ]
})
