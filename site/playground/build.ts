/** Bundles the worker of the playground. The emulator's server is left out, and its encoder is replaced. */
import { join } from "node:path"
import { build, type Plugin } from "rolldown"

const empty = "\0empty"

/** The parts of the emulator that need Node, and that its HttpClient in process does not use. */
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
