/** The programs of this folder that tests start. `bundlePrograms.ts` bundles them before the tests. */
import { join } from "node:path"

export const folder = join(import.meta.dirname, "../..")

export const names = ["batchProcess", "budgetedProcess", "durableProcess", "limitedProcess"] as const

export const bundled = (name: (typeof names)[number]) => join(folder, "out", `${name}.js`)
