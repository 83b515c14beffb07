import { assert, describe, it } from "@effect/vitest"
import { NodeServices } from "@effect/platform-node"
import { GradientClient, Images } from "@effect-gradient/core"
import { TestImages } from "@effect-gradient/core/testing"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { ConfigProvider, Context, Effect, Layer, Redacted } from "effect"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { recorded } from "./cassette.ts"
import { problemsOf } from "./check-params.ts"
import { layer as configured } from "./config.ts"
import { drawAndKeep } from "./keep-response.ts"
import { drawAndTell } from "./limits-left.ts"
import { imageModels } from "./models.ts"
import { limited } from "./shared-limit.ts"

const prompt = "A cute baby sea otter"

const emulated = Images.layer.pipe(
  Layer.provideMerge(GradientClient.layer({ modelAccessKey: Redacted.make("any") })),
  Layer.provide(Emulator.layerHttpClient({ images: "plain" }))
)

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "pieces-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

describe("small programs for the other modules", () => {
  it("check-params.ts names each field that is wrong", () => {
    assert.deepStrictEqual(problemsOf({ prompt }), {})
    assert.sameMembers(Object.keys(problemsOf({ prompt: " ", n: 11 })), ["prompt", "n"])
  })

  it.effect("models.ts lists models of images alone", () =>
    Effect.gen(function* () {
      const ids = yield* imageModels
      assert.include(ids, "openai-gpt-image-2")
      for (const id of ids) assert.include(id, "image")
    }).pipe(Effect.provide(emulated))
  )

  it.effect("limits-left.ts reads the service's rate limit headers", () =>
    Effect.gen(function* () {
      assert.match(yield* drawAndTell(prompt), /^\d+ requests left( until .+Z)?$/)
    }).pipe(Effect.provide(emulated))
  )

  it.effect("config.ts takes the key from POSTERS_IMAGE_KEY, and fails without it", () =>
    Effect.gen(function* () {
      const build = (env: Record<string, string>) =>
        Effect.exit(
          Effect.scoped(
            Layer.build(configured.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))))
          )
        )
      assert.strictEqual((yield* build({ POSTERS_IMAGE_KEY: "sk-do-1" }))._tag, "Success")
      assert.include(String(yield* build({})), "POSTERS_IMAGE_KEY")
    })
  )

  it.live("shared-limit.ts counts in the database", () =>
    Effect.gen(function* () {
      const images = limited(join(yield* folder, "journal.db")).pipe(Layer.provide(emulated))
      const response = yield* Images.generate({ prompt }).pipe(Effect.provide(images))
      assert.lengthOf(response.data, 1)
    }).pipe(Effect.scoped)
  )

  it.live("keep-response.ts writes the response in the API's form", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "response.json")
      yield* drawAndKeep(prompt, path)
      const json = readFileSync(path, "utf8")
      assert.match(json, /"created":\d+/)
      assert.include(json, `"b64_json":"${Buffer.from(TestImages.png).toString("base64")}"`)
    }).pipe(Effect.provide([TestImages.layerFixed(), NodeServices.layer]), Effect.scoped)
  )

  it.live("cassette.ts records once, and replays", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(Emulator.layerServer({ port: 0, images: "plain" }))
      const baseUrl = yield* Effect.provide(Emulator.baseUrl, context)
      const config = ConfigProvider.layer(
        ConfigProvider.fromEnv({ env: { GRADIENT_MODEL_ACCESS_KEY: "any", GRADIENT_BASE_URL: baseUrl } })
      )
      const path = join(yield* folder, "otter.json")
      const draw = Images.generate({ prompt }).pipe(Effect.provide(recorded(path)), Effect.provide(config))
      const [first, second] = [yield* draw, yield* draw]
      assert.deepStrictEqual(second.data[0].bytes, first.data[0].bytes)
      assert.lengthOf((yield* Context.get(context, Ledger.Ledger).account).entries, 1)
    }).pipe(Effect.scoped)
  )
})
