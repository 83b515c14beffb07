import { join } from "node:path"
import { bundle } from "./bundle.ts"
import { folder, names } from "./programs.ts"

/** Bundles the programs of this folder. Vitest runs this once before the test files of this package. */
export const setup = async () => {
  await bundle(folder, Object.fromEntries(names.map((name) => [name, join(import.meta.dirname, `${name}.ts`)])))
}
