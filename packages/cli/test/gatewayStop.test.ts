import { assert, describe, it } from "@effect/vitest"
import { NodeServices } from "@effect/platform-node"
import { ConfigProvider, Console, Deferred, Effect, Fiber } from "effect"
import { Command } from "effect/cli"
import { TestClock } from "effect/testing"
import type { ServerResponse } from "node:http"
import { gateway } from "../src/commands/gateway.ts"
import { service } from "./support/service.ts"

const completed = 'data: {"type":"image_generation.completed","b64_json":"iVBORw0KGgo="}\n\n'

/** Starts the gateway in this process, and returns its fiber and its address. */
const started = Effect.fnUntraced(function* (baseUrl: string) {
  const announced = yield* Deferred.make<string>()
  const line = (text: string) => void Deferred.doneUnsafe(announced, Effect.succeed(text))
  const env = { GATEWAY_KEYS: "alice", GRADIENT_MODEL_ACCESS_KEY: "any", GRADIENT_BASE_URL: baseUrl }
  const run = yield* Command.runWith(gateway, { version: "test" })(["--port", "0"]).pipe(
    Effect.provideService(Console.Console, { ...globalThis.console, log: line }),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))),
    Effect.provide(NodeServices.layer),
    Effect.forkScoped
  )
  const [url = ""] = /http:\S+/.exec(yield* Deferred.await(announced)) ?? []
  return { run, url }
})

/** Lets real time pass, in which bytes cross the sockets. */
const turn = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50)))

describe("gradient-images gateway", () => {
  it.effect("when it is stopped, waits for a stream for as long as a stream may take", () =>
    Effect.gen(function* () {
      const open: Array<ServerResponse> = []
      const behind = yield* service((response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(": started\n\n")
        open.push(response)
      })
      const { run, url } = yield* started(behind.baseUrl)
      const asking = yield* Effect.promise(async () => {
        const response = await fetch(`${url}/images/generations`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: "Bearer alice" },
          body: JSON.stringify({ prompt: "A sea otter", stream: true })
        })
        return response.text()
      }).pipe(Effect.forkScoped)
      yield* behind.asked
      yield* turn
      const stopping = yield* Effect.forkScoped(Fiber.interrupt(run))
      for (let minutes = 0; minutes < 28; minutes += 4) {
        yield* TestClock.adjust("4 minutes")
        open[0]?.write(": still drawing\n\n")
        yield* turn
      }
      assert.isUndefined(stopping.pollUnsafe())
      open[0]?.end(completed)
      assert.include(yield* Fiber.join(asking), "image_generation.completed")
      yield* Fiber.join(stopping)
    }).pipe(Effect.scoped)
  )
})
