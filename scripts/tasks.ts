/** Runs commands at the same time. */
import { spawn } from "node:child_process"
import { availableParallelism } from "node:os"

/** Starts the tasks in their order. At most as many run at the same time as the machine has cores. */
export const runTasks = async (tasks: ReadonlyArray<() => Promise<void>>) => {
  const waiting = tasks.values()
  const runRest = async () => {
    for (const task of waiting) await task()
  }
  await Promise.all(Array.from({ length: availableParallelism() }, runRest))
}

/** Runs a command without a shell. Its output goes to this process's output. */
export const runAsync = (command: string, args: ReadonlyArray<string>, cwd: string) =>
  new Promise<void>((resolve, reject) => {
    spawn(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] })
      .once("error", reject)
      .once("close", (code, signal) =>
        code === 0 ? resolve() : reject(new Error(`${[command, ...args].join(" ")} ended with ${code ?? signal}`))
      )
  })
