import Gradient from "@digitalocean/gradient"
import { assert, describe, it } from "@effect/vitest"
import { Emulator } from "@effect-gradient/emulator"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Layer, ManagedRuntime, Redacted } from "effect"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import OpenAI from "openai"
import * as gradient from "./gradient.ts"
import * as here from "./here.ts"
import * as hereWithPromises from "./here-with-promises.ts"
import * as openai from "./openai.ts"

const prompt = "A lighthouse"

const layerOf = (baseUrl: string) => NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make("any") })

const clients: Readonly<Record<string, (baseURL: string, path: string) => Promise<string>>> = {
  openai: (baseURL, path) => openai.draw(new OpenAI({ baseURL, apiKey: "any", maxRetries: 0 }), prompt, path),
  "@digitalocean/gradient": (baseURL, path) =>
    gradient.draw(new Gradient({ baseURL, modelAccessKey: "any", accessToken: null, maxRetries: 0 }), prompt, path),
  "this library": (baseUrl, path) => here.draw(prompt, path).pipe(Effect.provide(layerOf(baseUrl)), Effect.runPromise),
  "this library, with promises": async (baseUrl, path) => {
    const images = ManagedRuntime.make(layerOf(baseUrl))
    const result = await hereWithPromises.draw(images, prompt, path)
    await images.dispose()
    return result
  }
}

/**
 * Runs a program against an emulator with these faults. Returns the program's result, and `read`, which reads bytes 1 to 3
 * of the file that the program wrote: `PNG` in a PNG file.
 */
const run = Effect.fnUntraced(function* (
  draw: (baseURL: string, path: string) => Promise<string>,
  ...faults: ReadonlyArray<string>
) {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "coming-from-"))),
    (made) => Effect.promise(() => rm(made, { recursive: true }))
  )
  const service = yield* Layer.build(Emulator.layerServer({ port: 0, images: "plain", faults }))
  const path = join(folder, "otter.png")
  const baseURL = yield* Effect.provide(Emulator.baseUrl, service)
  const result = yield* Effect.promise(() => draw(baseURL, path))
  return { result, read: Effect.promise(async () => (await readFile(path)).subarray(1, 4).toString("latin1")) }
})

describe.each(Object.entries(clients))("the program for %s", (_, draw) => {
  it.live("writes the image", () =>
    Effect.gen(function* () {
      const { read, result } = yield* run(draw)
      assert.strictEqual(result, "Done")
      assert.strictEqual(yield* read, "PNG")
    }).pipe(Effect.scoped)
  )

  it.live("says that the service is busy", () =>
    Effect.gen(function* () {
      const { result } = yield* run(draw, "status=429;retry-after=0 x3")
      assert.strictEqual(result, "Please wait a minute.")
    }).pipe(Effect.scoped)
  )

  it.live("says that a stream was cut off", () =>
    Effect.gen(function* () {
      const { result } = yield* run(draw, "no-completed")
      assert.strictEqual(result, "The stream was cut off.")
    }).pipe(Effect.scoped)
  )
})
