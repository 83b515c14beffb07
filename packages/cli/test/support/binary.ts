/** The paths of the binary that tests run. `build.ts` builds it before the tests. */
import { join } from "node:path"

export const root = join(import.meta.dirname, "../..")

/** The binary as `pnpm build` makes it, of many modules. */
export const built = join(root, "dist/bin.js")

/** The binary bundled into a few files, so that it starts faster. */
export const binary = join(root, "out/bin.js")
