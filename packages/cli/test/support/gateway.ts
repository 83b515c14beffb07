/** Runs `gradient-images gateway` as a process. */
import { Deferred, Effect, Stream } from "effect"
import { folder, start } from "./cli.ts"

export const callers = { GATEWAY_KEYS: "alice, bob" }

/**
 * Starts a gateway on a free port, and waits for its first line on standard output, which has its address. `log`
 * collects the lines on standard error. The process is ended when the scope closes.
 */
export const gateway = Effect.fnUntraced(function* (
  baseUrl: string,
  args: ReadonlyArray<string> = [],
  env: Readonly<Record<string, string>> = callers
) {
  const cwd = yield* folder
  const child = yield* start(["gateway", "--port", "0", ...args], { cwd, baseUrl, env })
  const log: Array<string> = []
  yield* child.stderr.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.runForEach((line) => Effect.sync(() => log.push(line))),
    Effect.forkScoped
  )
  const announced = yield* Deferred.make<string>()
  const lines: Array<string> = []
  yield* child.stdout.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.runForEach((line) => {
      lines.push(line)
      return Deferred.succeed(announced, line)
    }),
    Effect.forkScoped
  )
  const line = yield* Deferred.await(announced)
  const [url = ""] = /http:\S+/.exec(line) ?? []
  return { child, url, log, lines, origin: new URL(url).origin }
})
