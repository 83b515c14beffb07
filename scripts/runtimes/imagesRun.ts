/**
 * Makes the calls of `imagesCases.ts` through `BrowserImages` in workerd and in a page, which have no files.
 */
import { BrowserImages } from "@effect-gradient/browser"
import { type MakeLayer, runCases, type Servers } from "./imagesCases.ts"

// Reconnecting is turned off, because the service of these calls is not a gateway, and keeps no images.
const makeLayer: MakeLayer = (options) => BrowserImages.layer({ ...options, reconnect: false })

export const runImages = async ({ refused, service }: Servers) => ({
  runs: [
    {
      layer: "BrowserImages",
      rows: await runCases(makeLayer, { refused, service: `${service}/BrowserImages` })
    }
  ]
})
