/**
 * Measures what a durable call costs more than a plain one, and what the other layers cost: `node --expose-gc
 * bench/durable.ts [rounds]` prints the figures, and sends them to its parent process if there is one. Nothing is sent
 * over the network: the transport replies at once.
 */
import { Images } from "@effect-gradient/core"
import * as BudgetLedger from "@effect-gradient/core/BudgetLedger"
import * as ImagesBudget from "@effect-gradient/core/ImagesBudget"
import * as ImagesFallback from "@effect-gradient/core/ImagesFallback"
import * as ImagesLimit from "@effect-gradient/core/ImagesLimit"
import * as ImagesTelemetry from "@effect-gradient/core/ImagesTelemetry"
import { TestTransport } from "@effect-gradient/core/testing"
import { DurableImages, GenerationJournal, ImageStore } from "@effect-gradient/durable"
import { SqliteClient } from "@effect-gradient/durable/node"
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer, ManagedRuntime } from "effect"
import { RateLimiter } from "effect/persistence"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setImmediate } from "node:timers/promises"
import * as Measure from "./measure.ts"
import { type Spread, spreadOf } from "./statistics.ts"

interface DurableCost {
  readonly title: string
  readonly millis: Spread
  /** Milliseconds that a call takes longer than with the contestant before, in the same round. */
  readonly added: Spread
}

/** CPU time of a call in milliseconds: of a plain call, and of one with telemetry, budget, fallback and limit. */
interface LayersCost {
  readonly plainMillis: Spread
  readonly layeredMillis: Spread
  /** `layeredMillis` divided by `plainMillis` of the same round. */
  readonly ratio: Spread
}

export interface Durable {
  readonly costs: ReadonlyArray<DurableCost>
  readonly layers: LayersCost
  /**
   * Bytes of memory that a call uses for each byte of its images, at the moment when all its images are stored and its
   * manifest is not.
   */
  readonly memoryRatio: number
}

const rounds = Number(process.argv[2] ?? 15)
const callsInRound = 8
const turnsInRound = 20
const imageBytes = 1_500_000
const imagesInLargeCall = 10

const png = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(imageBytes, "otter")])
const bodyOf = (n: number) => {
  const data = Array.from({ length: n }, () => ({ b64_json: png.toString("base64") }))
  return Buffer.from(JSON.stringify({ created: 1_700_000_000, data }))
}
const plainOf = (n: number) => {
  const body = bodyOf(n)
  return TestTransport.layerImages(() => TestTransport.respond({ bytes: body, chunkSize: 65_536 }))
}
const plain = plainOf(1)

const folder = await mkdtemp(join(tmpdir(), "bench-durable-"))
const sqlite = (name: string) =>
  GenerationJournal.layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: join(folder, `${name}.db`) })))
const synced = (name: string) => ImageStore.layerFolder(join(folder, name)).pipe(Layer.provide(NodeServices.layer))

const durable = (
  journal: Layer.Layer<GenerationJournal.GenerationJournal, unknown>,
  store: Layer.Layer<ImageStore.ImageStore, unknown>,
  checkStore: boolean,
  images = plain
) => DurableImages.layer({ checkStore }).pipe(Layer.provide([images, journal, store]))

const { layerMemory: memoryJournal } = GenerationJournal
const { layerMemory: memoryStore } = ImageStore

/** Each contestant after the first differs from the one before in one part. */
const contestants: ReadonlyArray<readonly [string, Layer.Layer<Images.Images, unknown>]> = [
  ["a plain call", plain],
  ["a record, in memory", durable(memoryJournal, memoryStore, false)],
  ["the journal on SQLite", durable(sqlite("one"), memoryStore, false)],
  ["the store in a synced folder", durable(sqlite("two"), synced("two"), false)],
  ["the check for images in the store before the call", durable(sqlite("three"), synced("three"), true)]
]

const generate = (key: string) => Images.generate({ prompt: "An otter" }, { idempotencyKey: key })

const measureCosts = async (): Promise<ReadonlyArray<DurableCost>> => {
  const lanes = contestants.map(([title, layer]) => ({ title, runtime: ManagedRuntime.make(layer) }))
  const millis: Array<Array<number>> = lanes.map(() => [])
  for (let round = -2; round < rounds; round++) {
    for (const [lane, { runtime }] of lanes.entries()) {
      const start = performance.now()
      for (let call = 0; call < callsInRound; call++) await runtime.runPromise(generate(`${round} ${call}`))
      if (round >= 0) millis[lane]?.push((performance.now() - start) / callsInRound)
    }
  }
  for (const { runtime } of lanes) await runtime.dispose()
  return lanes.map(({ title }, lane) => {
    const own = millis[lane] ?? []
    const before = millis[lane - 1]
    return { title, millis: spreadOf(own), added: spreadOf(own.map((time, round) => time - (before?.[round] ?? time))) }
  })
}

const prices = { "openai-gpt-image-2": { perImage: 0.25, perOutputToken: 0.00003 } }

/**
 * Telemetry, budget, fallback and limit. The circuit breaker, the journal and the store of examples/production are left
 * out. No call reaches the budget or the limit.
 */
const layered = ImagesTelemetry.layer({ prices }).pipe(
  Layer.provide(ImagesBudget.layer({ money: { limit: 1e9, prices }, window: "1 day" })),
  Layer.provide(
    ImagesFallback.layer([
      {
        layer: ImagesLimit.layer({ limit: 1e9, window: "1 minute", concurrency: 8 }).pipe(Layer.provide(plain)),
        model: "openai-gpt-image-2"
      }
    ])
  ),
  Layer.provide([BudgetLedger.layerMemory, RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))])
)

/**
 * Measures plain calls and calls through `layered` in turn. Every other time, the calls through `layered` go first. A
 * turn is short and a round has many turns, because garbage collections and other load on the machine come at random,
 * and cost more than the layers do.
 */
const measureLayers = async (): Promise<LayersCost> => {
  const lanes = [plain, layered].map((layer) => ({ runtime: ManagedRuntime.make(layer), millis: new Array<number>() }))
  for (let round = -1; round < rounds; round++) {
    const spent = new Map(lanes.map((lane) => [lane, 0]))
    for (let turn = 0; turn < turnsInRound; turn++) {
      for (const lane of turn % 2 === 0 ? lanes : lanes.toReversed()) {
        const run = () => lane.runtime.runPromise(Effect.asVoid(Images.generate({ prompt: "An otter" })))
        const { cpuMillis } = await Measure.time(run, callsInRound)
        spent.set(lane, (spent.get(lane) ?? 0) + cpuMillis / turnsInRound)
      }
    }
    if (round >= 0) for (const [{ millis }, cpuMillis] of spent) millis.push(cpuMillis)
  }
  for (const { runtime } of lanes) await runtime.dispose()
  const [plainMillis = [], layeredMillis = []] = lanes.map(({ millis }) => millis)
  const ratios = layeredMillis.map((millis, round) => millis / (plainMillis[round] ?? Number.NaN))
  return { plainMillis: spreadOf(plainMillis), layeredMillis: spreadOf(layeredMillis), ratio: spreadOf(ratios) }
}

/** Wraps a store, and calls `onManifest` before a manifest is written. */
const watching = (store: Layer.Layer<ImageStore.ImageStore, unknown>, onManifest: () => void) =>
  Layer.effect(
    ImageStore.ImageStore,
    Effect.map(ImageStore.ImageStore, (inner) => ({
      ...inner,
      put: (path: string, bytes: Uint8Array) => {
        if (path.endsWith("manifest.json")) onManifest()
        return inner.put(path, bytes)
      }
    }))
  ).pipe(Layer.provide(store))

const measureMemory = async (): Promise<number> => {
  let most = 0
  const store = watching(synced("large"), () => {
    most = Math.max(most, Measure.inUse())
  })
  const runtime = ManagedRuntime.make(durable(sqlite("large"), store, true, plainOf(imagesInLargeCall)))
  const call = (key: string) =>
    runtime.runPromise(
      Effect.asVoid(Images.generate({ prompt: "An otter", n: imagesInLargeCall }, { idempotencyKey: key }))
    )
  await call("first")
  most = 0
  await setImmediate() // Lets the garbage collector release what the first call used.
  const before = Measure.inUse()
  await call("second")
  await runtime.dispose()
  return (most - before) / (imagesInLargeCall * png.length)
}

const result: Durable = {
  costs: await measureCosts(),
  layers: await measureLayers(),
  memoryRatio: await measureMemory()
}
await rm(folder, { recursive: true })
for (const { added, millis, title } of result.costs) {
  console.error(`${title}: ${millis.median.toFixed(2)} ms, ${added.median.toFixed(2)} ms more than the row before`)
}
console.error(
  `CPU time with telemetry, budget, fallback and limit, divided by that of a plain call: ${result.layers.ratio.median.toFixed(3)}`
)
console.error(`bytes of memory in use for each byte of the images: ${result.memoryRatio.toFixed(2)}`)
process.send?.(result)
process.disconnect?.()
