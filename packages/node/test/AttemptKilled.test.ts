import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync } from "node:fs"
import type http from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { completed, partialImage, png, responseBody, serve } from "./support/server.ts"

/** Starts a process that makes a call, kills it at this moment of the call, and returns the lines of its journal. */
const killAt = Effect.fnUntraced(function* (baseUrl: string, order: string, kind: string, moment: string) {
  const file = join(mkdtempSync(join(tmpdir(), "attempt-")), "journal")
  yield* Effect.promise(async () => {
    const script = join(import.meta.dirname, "support/killedProcess.ts")
    const child = spawn(process.execPath, [script, baseUrl, file, order, kind, moment], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    let printed = ""
    child.stdout.on("data", (chunk: Buffer) => {
      printed += chunk.toString()
      if (printed.split("\n").includes(moment)) child.kill("SIGKILL")
    })
    await once(child, "exit")
    if (!printed.includes(moment)) throw new Error(`it never came to "${moment}": ${printed}`)
  })
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []
})

/** Returns the attempts in a journal that have no outcome. Their requests may have been sent. */
const unsettled = (lines: ReadonlyArray<string>) =>
  lines
    .filter((line) => line.startsWith("begin "))
    .map((line) => line.slice("begin ".length))
    .filter((number) => !lines.some((line) => line.startsWith(`settle ${number} `)))

const image = png(2000)

/** Refuses the first request, which is not charged for, and replies to the second with an image. */
const answer =
  (requests: () => number) => (request: http.IncomingMessage, response: http.ServerResponse, body: string) => {
    if (requests() === 1) return response.writeHead(429, { "retry-after": "0.1" }).end("{}")
    if (!body.includes('"stream":true')) return response.end(responseBody(image))
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(partialImage(0, image))
    setTimeout(() => response.end(completed(image)), 100)
    return request
  }

const moments = [
  // [function, moment of the kill, number of requests that reached the service, attempts without an outcome in the
  // journal]
  ["generate", "waiting 1", 0, []],
  ["generate", "begun 1", 0, ["1"]],
  ["generate", "backing off", 1, []],
  ["generate", "waiting 2", 1, []],
  ["generate", "begun 2", 1, ["2"]],
  ["generate", "arrived", 2, []],
  ["stream", "backing off", 1, []],
  ["stream", "PartialImage", 2, ["2"]],
  ["stream", "Completed", 2, []]
] as const

describe.concurrent("a journal around the attempts of a process that is killed", () => {
  for (const order of ["limiter outside", "journal outside"]) {
    for (const [kind, moment, sent, open] of moments) {
      it.live(`${kind}, ${order}, killed at "${moment}": ${open.length} left open of ${sent} sent`, () =>
        Effect.gen(function* () {
          let count = 0
          const server = yield* serve((request, response, body) => {
            count++
            answer(() => count)(request, response, body)
          })
          const lines = yield* killAt(server.baseUrl, order, kind, moment)
          expect(server.requests.length).toBe(sent)
          expect(unsettled(lines)).toEqual(open)
        }).pipe(Effect.scoped)
      )
    }
  }
})
