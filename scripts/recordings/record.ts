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

/** Bytes that the terminal received at once. `at` is the time in milliseconds since the start. */
export interface Output {
  readonly at: number
  readonly bytes: Buffer
}

/** Environment variables that change what programs print. The recorded command does not get them. */
const misleading = new Set(["CI", "FORCE_COLOR", "NO_COLOR", "STY", "TERM_PROGRAM", "TMUX"])

/** The environment of the recorded command: that of a usual terminal with all colours. npm shows no spinner. */
const environment = () => ({
  ...Object.fromEntries(Object.entries(env).filter(([name]) => !misleading.has(name))),
  TERM: "xterm-256color",
  COLORTERM: "truecolor",
  npm_config_progress: "false"
})

/**
 * Runs the command in a pseudo-terminal of this size, and returns what the terminal received. The first line is the
 * prompt with the command.
 */
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

/**
 * Splits the log into outputs. Each line of the timing file has the seconds since the line before, and the number of
 * bytes. `script` begins the log with a line of its own, which is left out.
 */
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
