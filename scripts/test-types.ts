/**
 * `pnpm test:types`: runs the type tests in packages/<package>/test/types. They run on TypeScript 6, because TypeScript
 * 7 lacks the API that the test runner needs. `tsc -b` also compiles them, with TypeScript 7.
 */
import { execFileSync } from "node:child_process"
import { argv, env, execPath } from "node:process"
import { fileURLToPath } from "node:url"

const tstyche = fileURLToPath(new URL("bin.js", import.meta.resolve("tstyche/api")))

execFileSync(execPath, [tstyche, ...argv.slice(2)], {
  stdio: "inherit",
  env: { ...env, TSTYCHE_TYPESCRIPT_MODULE: import.meta.resolve("typescript-6") }
})
