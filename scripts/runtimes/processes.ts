/**
 * Runs commands. A command that takes too long is killed. Except on Windows, so are the processes that it has started,
 * such as workerd.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { platform } from "node:process"

const running = new Set<ChildProcess>()

/** Kills the command's process group. Windows has no process groups, so there only the command itself is killed. */
const kill = (child: ChildProcess) => {
  if (child.pid === undefined || platform === "win32") return child.kill("SIGKILL")
  try {
    return process.kill(-child.pid, "SIGKILL")
  } catch {
    return false // The group has already ended.
  }
}

// The commands run in process groups of their own, so Ctrl-C does not end them. So this process kills them when it
// exits.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))
process.once("exit", () => running.forEach(kill))

/**
 * Runs a command, and returns the last line that it prints. Rejects if the command fails, or takes longer than 2
 * minutes.
 */
export const lastLine = async (command: string, args: ReadonlyArray<string>, cwd: string): Promise<string> => {
  const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "inherit"], detached: platform !== "win32" })
  running.add(child)
  const timer = setTimeout(() => kill(child), 120_000)
  try {
    let printed = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text))
    const end = await new Promise<number | string | null>((resolve, reject) => {
      child.once("error", reject).once("close", (code, signal) => resolve(code ?? signal))
    })
    if (end !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${end}`)
    return printed.trim().split("\n").at(-1) ?? ""
  } finally {
    clearTimeout(timer)
    kill(child)
    running.delete(child)
  }
}
