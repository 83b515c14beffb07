/**
 * `pnpm recordings`: runs the README's first command in a pseudo-terminal, and writes what the terminal showed as an
 * animated image: docs/start.webp. It needs Linux on x64, with `script` of util-linux.
 */
import { join } from "node:path"
import { record } from "./record.ts"
import { render } from "./render.ts"

const root = join(import.meta.dirname, "../..")

const terminal = { columns: 76, rows: 33 }
const recording = record("npx --yes pnpm start", terminal, root)
await render(recording, terminal, join(root, "docs", "start.webp"))
