/** Writes the version of @effect-gradient/node into its source, for the User-Agent. A bundle cannot read package.json. */
import { readFileSync, writeFileSync } from "node:fs"

const node = new URL("../packages/node/", import.meta.url)
const version = /"version": "([^"]*)"/.exec(readFileSync(new URL("package.json", node), "utf8"))?.[1] ?? "unknown"
const file = new URL("src/internal/userAgent.ts", node)
writeFileSync(file, readFileSync(file, "utf8").replace(/"effect-gradient\/[^"]*"/, `"effect-gradient/${version}"`))
