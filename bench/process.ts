/**
 * Processes of the benchmark's own files, which are asked and answer one message at a time.
 */
import { type ChildProcess, fork } from "node:child_process"

/** Starts a file; what it prints is shown. */
export const start = (
  file: string,
  args: ReadonlyArray<string> = [],
  execArgv: ReadonlyArray<string> = []
): ChildProcess => fork(new URL(file, import.meta.url), args, { execArgv: [...execArgv] })

/** The next message of the process; fails if it ends before. */
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

export const ask = (child: ChildProcess, question: number | "cpu"): Promise<unknown> => {
  child.send(question)
  return answer(child)
}

/** Lets this process answer `"cpu"` with its CPU time of all threads in microseconds. */
export const sendCpuTime = (): void => {
  process.on("message", (question) => {
    const { system, user } = process.cpuUsage()
    if (question === "cpu") process.send?.(system + user)
  })
}
