/**
 * Builds the page that runs the recipes of examples/coming-back, and provides Chromium.
 */
import { Effect, Layer } from "effect"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { build } from "vite"
import * as Chromium from "../../../packages/browser/test/support/Chromium.ts"
import * as Site from "./Site.ts"

const built = Effect.acquireRelease(
  Effect.promise(async () => {
    const folder = await mkdtemp(join(tmpdir(), "coming-back-"))
    await build({
      root: join(import.meta.dirname, "coming-back"),
      configFile: false,
      logLevel: "warn",
      build: { outDir: folder, emptyOutDir: true }
    })
    return folder
  }),
  (folder) => Effect.promise(() => rm(folder, { recursive: true }))
)

export const layer = Layer.merge(Chromium.layer, Layer.effect(Site.Built, built))
