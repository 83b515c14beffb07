/** The binary that tests run. `build.ts` makes it before the tests. */
import { join } from "node:path"

export const root = join(import.meta.dirname, "../..")

/** The binary as `pnpm build` makes it, of many modules. */
export const built = join(root, "dist/bin.js")

/** The same binary in a few files, which starts faster. */
export const binary = join(root, "out/bin.js")
