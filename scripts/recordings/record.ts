/** Runs a command in a pseudo-terminal, and records what it prints and when. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { env } from "node:process"

/** The size of a terminal in characters. */
export interface Size {
  readonly columns: number
  readonly rows: number
}

/** Bytes that a terminal received, and the time in milliseconds since the start. */
export interface Output {
  readonly at: number
  readonly bytes: Buffer
}

/** Variables that would make programs take the terminal for another one, or for none. */
const misleading = new Set(["CI", "FORCE_COLOR", "NO_COLOR", "STY", "TERM_PROGRAM", "TMUX"])

/** A terminal of the usual kind, with all colours. The spinner of npm, which looks for pnpm first, is left out. */
const environment = () => ({
  ...Object.fromEntries(Object.entries(env).filter(([name]) => !misleading.has(name))),
  TERM: "xterm-256color",
  COLORTERM: "truecolor",
  npm_config_progress: "false"
})

/** The first line is the prompt with the command. */
export const record = (command: string, { columns, rows }: Size, cwd: string): ReadonlyArray<Output> => {
  const folder = mkdtempSync(join(tmpdir(), "effect-gradient-recording-"))
  const [log, timing] = [join(folder, "log"), join(folder, "timing")]
  try {
    const line = `stty cols ${columns} rows ${rows}; printf '$ %s\\n' '${command}'; ${command}`
    execFileSync("script", ["--quiet", "--return", "--command", line, "--log-out", log, "--log-timing", timing], {
      cwd,
      env: environment(),
      stdio: ["ignore", "ignore", "inherit"],
      timeout: 120_000
    })
    return outputs(readFileSync(log), readFileSync(timing, "utf8"))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Each line of the timing file is the seconds since the line before, and a number of bytes. `script` adds a line to the log. */
const outputs = (log: Buffer, timing: string): ReadonlyArray<Output> => {
  let at = 0
  let start = log.indexOf("\n") + 1
  return Array.from(timing.matchAll(/^(?:O )?([\d.]+) (\d+)$/gm), ([, seconds, length]) => {
    at += Number(seconds) * 1000
    const bytes = log.subarray(start, start + Number(length))
    start += bytes.length
    return { at, bytes }
  })
}
