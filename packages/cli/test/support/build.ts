import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { execPath } from "node:process"
import { bundle } from "../../../durable/test/support/bundle.ts"
import { built, root } from "./binary.ts"

/**
 * Builds the binary without checking types, because `pnpm check` checks them, and bundles it. Vitest runs this once
 * before the test files of this package. If each file built the binary, it would replace modules that another file runs.
 */
export const setup = async () => {
  const tsc = join(root, "../../node_modules/typescript/bin/tsc")
  execFileSync(execPath, [tsc, "-p", root, "--noCheck"], { stdio: "inherit" })
  await bundle(root, { bin: built })
}
