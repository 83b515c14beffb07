/**
 * Writes the version of @effect-gradient/node into its source, for the header User-Agent. The source cannot read the
 * version from package.json, because a bundle has no package.json.
 */
import { readFileSync, writeFileSync } from "node:fs"

const node = new URL("../packages/node/", import.meta.url)
const version = /"version": "([^"]*)"/.exec(readFileSync(new URL("package.json", node), "utf8"))?.[1] ?? "unknown"
const file = new URL("src/internal/userAgent.ts", node)
writeFileSync(file, readFileSync(file, "utf8").replace(/"effect-gradient\/[^"]*"/, `"effect-gradient/${version}"`))
