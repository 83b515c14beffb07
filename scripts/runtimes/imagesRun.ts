/** Makes the calls through `BrowserImages` where there are no files: in workerd and in a page. */
import { BrowserImages } from "@effect-gradient/browser"
import { runCases, type Servers } from "./imagesCases.ts"

export const runImages = async ({ refused, service }: Servers) => ({
  runs: [
    {
      layer: "BrowserImages",
      rows: await runCases(BrowserImages.layer, { refused, service: `${service}/BrowserImages` })
    }
  ]
})
