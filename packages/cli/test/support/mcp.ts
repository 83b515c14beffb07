/** Runs `gradient-images mcp` as a process, and talks to it with the MCP project's own client. */
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { getDefaultEnvironment, StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { type CallToolResult, CallToolResultSchema, type Progress } from "@modelcontextprotocol/sdk/types.js"
import { Context, Effect, Layer } from "effect"
import { env as ambient } from "node:process"
import { binary } from "./binary.ts"
import { folder } from "./cli.ts"

/** Starts the emulator on a port. Its ledger records what was paid for. */
export const emulator = Effect.fnUntraced(function* (options: Emulator.EmulatorOptions = {}) {
  const context = yield* Layer.build(Emulator.layerServer({ port: 0, images: "plain", ...options }))
  const baseUrl = yield* Effect.provide(Emulator.baseUrl, context)
  const { account } = Context.get(context, Ledger.Ledger)
  return {
    baseUrl,
    /** The number of images of each request that was paid for. */
    paid: Effect.map(account, ({ entries }) => entries.map(({ n }) => n)),
    requests: Effect.map(account, ({ requests }) => requests)
  }
})

export interface CallOptions {
  readonly onProgress?: (progress: Progress) => void
  readonly signal?: AbortSignal
}

/**
 * Starts an MCP server that uses the service at `baseUrl`, and a client of it. `violations` are the errors that the
 * client reports, for example if a line on the server's standard output violates the protocol.
 */
export const server = Effect.fnUntraced(function* (
  baseUrl: string,
  args: ReadonlyArray<string> = [],
  existing?: string,
  env: Readonly<Record<string, string>> = {}
) {
  const images = existing ?? (yield* folder)
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [binary, "mcp", "--folder", images, ...args],
    env: {
      ...getDefaultEnvironment(),
      NODE_COMPILE_CACHE: ambient["NODE_COMPILE_CACHE"] ?? "",
      GRADIENT_BASE_URL: baseUrl,
      GRADIENT_MODEL_ACCESS_KEY: "sk-do-test",
      ...env
    },
    stderr: "pipe"
  })
  const violations: Array<Error> = []
  const client = new Client({ name: "test", version: "1" })
  Object.assign(client, { onerror: (error: Error) => violations.push(error) })
  yield* Effect.acquireRelease(
    Effect.promise(() => client.connect(transport)),
    () => Effect.promise(() => client.close())
  )
  const callNow = async (name: string, params: object, { onProgress, signal }: CallOptions = {}) =>
    CallToolResultSchema.parse(
      await client.callTool({ name, arguments: { ...params } }, CallToolResultSchema, {
        ...(onProgress === undefined ? {} : { onprogress: onProgress }),
        ...(signal === undefined ? {} : { signal })
      })
    )
  const call = (name: string, params: object = {}, options: CallOptions = {}) =>
    Effect.promise(() => callNow(name, params, options))
  return { client, transport, images, violations, call, callNow }
})

export const textOf = ({ content }: CallToolResult): string =>
  content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n")

export const linksOf = ({ content }: CallToolResult) =>
  content.flatMap((part) => (part.type === "resource_link" ? [part] : []))

export const imagesOf = ({ content }: CallToolResult) =>
  content.flatMap((part) => (part.type === "image" ? [part] : []))
