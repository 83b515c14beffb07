/**
 * `node examples/production/start.ts [folder]`: makes calls for eight orders while the service fails in three ways, and
 * prints what was paid for. The service is an emulator, so it needs no key. Run it again: the images that arrived come
 * from the folder.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Images } from "@effect-gradient/core"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { Console, Effect, Redacted } from "effect"
import { mkdir } from "node:fs/promises"
import { argv } from "node:process"
import { production } from "./images.ts"

const [, , folder = "out/production"] = argv

const order = (number: number) =>
  Images.generate({ prompt: `A lighthouse, number ${number}` }, { idempotencyKey: `order ${number}` }).pipe(
    Effect.matchEffect({
      onSuccess: ({ data }) => Console.log(`order ${number}: ${data[0].bytes.length} bytes`),
      onFailure: ({ reason }) => Console.log(`order ${number}: ${reason._tag}`)
    })
  )

const program = Effect.gen(function* () {
  yield* Effect.promise(() => mkdir(folder, { recursive: true }))
  const client = { baseUrl: yield* Emulator.baseUrl, modelAccessKey: Redacted.make("any") }
  const layer = production({
    folder,
    endpoints: [
      { name: "first", client, model: "openai-gpt-image-2" },
      { name: "second", client, model: "openai-gpt-image-1.5" }
    ],
    dollarsADay: 2
  })
  yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], order, { concurrency: 4 }).pipe(Effect.provide(layer))
  const { entries, requests } = yield* Effect.flatMap(Ledger.Ledger, ({ account }) => account)
  yield* Console.log(`${requests} requests, ${entries.length} generations paid for`)
})

const faults = ["status=429;retry-after=0 x5", "status=500 x1", "reset-body@100 x1"]

program.pipe(Effect.provide(Emulator.layerServer({ port: 0, images: "plain", faults })), NodeRuntime.runMain)
