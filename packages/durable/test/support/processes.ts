/** Processes that tests kill or stop, and the service that they call, which counts what it was paid for. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import * as http from "node:http"
import { bundled } from "./programs.ts"

const PlanFields = Schema.Struct({
  baseUrl: Schema.String,
  /** The file of a SQLite database, or the URL of a PostgreSQL database. */
  journal: Schema.String,
  store: Schema.String,
  lease: Schema.Finite,
  keys: Schema.Array(Schema.String),
  concurrency: Schema.Int,
  /** Whether the process calls `generateStream` instead of `generate`. */
  isStreaming: Schema.optional(Schema.Boolean),
  /** The point at which the process kills or stops itself. If it is absent, the process does neither. */
  point: Schema.optional(Schema.String),
  signal: Schema.Literals(["SIGKILL", "SIGSTOP"])
})

export type Plan = typeof PlanFields.Type

export const readPlan = Schema.decodeUnknownSync(Schema.fromJsonString(PlanFields))

const LineFields = Schema.Struct({
  key: Schema.String,
  outcome: Schema.String,
  status: Schema.optional(Schema.String),
  /** The SHA-256 of all images, one after the other. */
  sha256: Schema.optional(Schema.String)
})

/** What a process prints about a key. */
export type Line = typeof LineFields.Type

const parse = Schema.decodeUnknownSync(Schema.fromJsonString(LineFields))

/** Makes an image that differs from all others. */
const makeImage = () => {
  const png = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(4000, randomUUID())])
  return { b64_json: png.toString("base64") }
}
const makeReply = () => JSON.stringify({ created: 1_700_000_000, data: [makeImage(), makeImage()] })

/**
 * The service, on loopback. It counts every request that arrives as paid for, and answers it with two images after a
 * short delay.
 */
export const service = Effect.acquireRelease(
  Effect.promise(async () => {
    const generations = new Map<string, number>()
    const server = http.createServer((request, response) => {
      request.resume().on("end", () => {
        const key = String(request.headers["idempotency-key"])
        generations.set(key, (generations.get(key) ?? 0) + 1)
        setTimeout(() => response.end(makeReply()), 20 + Math.random() * 60)
      })
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    return { server, baseUrl: `http://127.0.0.1:${port}/v1`, generations }
  }),
  ({ server }) =>
    Effect.promise(async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    })
)

export class Started {
  readonly child: ChildProcess
  #printed = ""

  constructor(plan: Plan) {
    this.child = spawn(process.execPath, [bundled("durableProcess"), JSON.stringify(plan)], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    this.child.stdout?.on("data", (chunk: Buffer) => {
      this.#printed += chunk.toString()
    })
  }

  get isReady(): boolean {
    return this.#printed.includes("ready\n")
  }

  /** The outcomes that the process has printed. A line that is not complete yet is left out. */
  get lines(): ReadonlyArray<Line> {
    return this.#printed
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.startsWith("{"))
      .map((line) => parse(line))
  }

  /** Waits until the process has ended. Returns the signal that ended it, or its exit code. */
  async ended(): Promise<NodeJS.Signals | number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, "exit")
    return this.child.signalCode ?? this.child.exitCode
  }

  async ready(): Promise<void> {
    while (!this.isReady && this.child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
