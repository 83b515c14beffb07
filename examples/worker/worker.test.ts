import { assert, describe, it } from "@effect/vitest"
import { Emulator } from "@effect-gradient/emulator"
import { Effect, Layer } from "effect"
import { Miniflare } from "miniflare"
import { join } from "node:path"
import { build } from "rolldown"

/** Bundles the worker as one module, and starts it in workerd. */
const started = Effect.fnUntraced(function* (baseUrl: string) {
  const { output } = yield* Effect.promise(() =>
    build({
      input: join(import.meta.dirname, "worker.ts"),
      platform: "neutral",
      resolve: { conditionNames: ["workerd", "worker", "browser", "import"] },
      output: { format: "esm", codeSplitting: false },
      write: false
    })
  )
  return yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Miniflare({
          modules: true,
          script: output[0].code,
          compatibilityDate: "2026-07-01",
          bindings: { GRADIENT_MODEL_ACCESS_KEY: "any", GATEWAY_KEY: "swordfish", GRADIENT_BASE_URL: baseUrl }
        })
    ),
    (worker) => Effect.promise(() => worker.dispose())
  )
})

describe("worker.ts", () => {
  it.live("replies with an image for its key, and refuses another", () =>
    Effect.gen(function* () {
      const service = yield* Layer.build(Emulator.layerServer({ port: 0, images: "plain" }))
      const worker = yield* started(yield* Effect.provide(Emulator.baseUrl, service))
      const ask = (key: string) =>
        Effect.promise(() =>
          worker.dispatchFetch("http://worker/v1/images/generations", {
            method: "POST",
            headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
            body: JSON.stringify({ prompt: "A lighthouse" })
          })
        )
      const reply = yield* ask("swordfish")
      assert.strictEqual(reply.status, 200)
      assert.include(yield* Effect.promise(() => reply.text()), '"b64_json":"iVBORw0KGgo')
      assert.strictEqual((yield* ask("any")).status, 401)
    }).pipe(Effect.scoped)
  )
})
