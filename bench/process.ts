/**
 * Starts files of the benchmark as processes, and exchanges messages with each of them, one message at a time.
 */
import { type ChildProcess, fork } from "node:child_process"

/** Starts a file as a process. Its output goes to the output of this process. */
export const start = (
  file: string,
  args: ReadonlyArray<string> = [],
  execArgv: ReadonlyArray<string> = []
): ChildProcess => fork(new URL(file, import.meta.url), args, { execArgv: [...execArgv] })

/** Waits for the next message of the process. Rejects if the process ends before. */
export const answer = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const onExit = (code: number | null) =>
      reject(new Error(`${child.spawnargs.slice(1).join(" ")} ended with ${code}`))
    child.once("exit", onExit)
    child.once("message", (message: unknown) => {
      child.off("exit", onExit)
      resolve(message)
    })
  })

/** Sends a message to the process, and returns its reply. */
export const ask = (child: ChildProcess, question: number | "cpu" | "memory"): Promise<unknown> => {
  child.send(question)
  return answer(child)
}

/** Makes this process reply to each message `"cpu"` with its CPU time so far, of all threads, in microseconds. */
export const sendCpuTime = (): void => {
  process.on("message", (question) => {
    const { system, user } = process.cpuUsage()
    if (question === "cpu") process.send?.(system + user)
  })
}
