/**
 * Bundles the worker of the playground, for a browser. The emulator's server is left out, and its encoder is replaced
 * with one for browsers.
 */
import { join } from "node:path"
import { build, type Plugin } from "rolldown"

const empty = "\0empty"

/**
 * The modules that need Node. The emulator's `HttpClient`, which runs without a server, does not use them, so the
 * bundle has empty modules in their place.
 */
const onlyOnNode = /^node:|^@effect\/platform-node|\/onPort\.ts$/

const forPages: Plugin = {
  name: "for-pages",
  resolveId: (id) => {
    if (id.endsWith("/Encoding.ts")) return join(import.meta.dirname, "encoding.ts")
    return onlyOnNode.test(id) ? empty : null
  },
  load: (id) => (id === empty ? "export const constants = {}" : null)
}

export const buildWorker = (file: string) =>
  build({
    input: join(import.meta.dirname, "worker.ts"),
    platform: "browser",
    plugins: [forPages],
    checks: { importIsUndefined: false },
    output: { file, format: "esm", minify: true, codeSplitting: false }
  })
