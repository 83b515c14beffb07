/**
 * A process that makes one durable call for each key. At the point that its plan names, it kills or stops itself.
 *
 * Its one argument is JSON: see `Plan`.
 */
import { Attempt, Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { writeSync } from "node:fs"
import { argv, kill, pid } from "node:process"
import { DurableImages, GenerationJournal, ImageStore } from "../../src/index.ts"
import { SqliteClient } from "../../src/node/index.ts"
import { readPlan } from "./processes.ts"

const plan = readPlan(argv[2])

/** If the plan names this point, the process kills itself, or stops itself until it gets SIGCONT. */
const reach = (point: string) =>
  Effect.sync(() => {
    if (point !== plan.point) return
    writeSync(1, `at ${point}\n`)
    kill(pid, plan.signal)
  })

const between = <A, E>(name: string, effect: Effect.Effect<A, E>) =>
  Effect.andThen(reach(`before ${name}`), Effect.tap(effect, reach(`after ${name}`)))

const sql = plan.journal.startsWith("postgres:")
  ? PgClient.layer({ url: Redacted.make(plan.journal) })
  : SqliteClient.layer({ filename: plan.journal })

const journal = Layer.effect(
  GenerationJournal.GenerationJournal,
  Effect.map(GenerationJournal.GenerationJournal, (inner) => ({
    ...inner,
    move: (id: string, move: GenerationJournal.Move) => between(move._tag, inner.move(id, move))
  }))
).pipe(Layer.provide(GenerationJournal.layerSql()), Layer.provide(sql))

const store = Layer.effect(
  ImageStore.ImageStore,
  Effect.map(ImageStore.ImageStore, (inner) => ({
    ...inner,
    put: (path: string, bytes: Uint8Array) => between(path.slice(path.lastIndexOf("/") + 1), inner.put(path, bytes))
  }))
).pipe(Layer.provide(ImageStore.layerFolder(plan.store)), Layer.provide(NodeServices.layer))

/**
 * The innermost entry around an attempt. Its `begin` is the last step before the request, and its `end` is the first
 * step after the reply.
 */
const watched = Attempt.layer({ begin: () => reach("before sending"), end: () => reach("after sending") }).pipe(
  Layer.provide(NodeImages.layer({ baseUrl: plan.baseUrl }))
)

const durable = DurableImages.layer({ lease: plan.lease }).pipe(Layer.provide([watched, journal, store]))

const sha256 = (parts: ReadonlyArray<Uint8Array>) => createHash("sha256").update(Buffer.concat(parts)).digest("hex")

const params = { prompt: "a sea otter", n: 2 }

/** The bytes of the images, from `generate` or from `generateStream`. */
const imagesOf = (options: { readonly idempotencyKey: string }) =>
  plan.isStreaming === true
    ? Images.generateStream(params, options).pipe(
        Stream.filter(({ _tag }) => _tag === "Completed"),
        Stream.map(({ bytes }) => bytes),
        Stream.runCollect
      )
    : Effect.map(Images.generate(params, options), ({ data }) => data.map(({ bytes }) => bytes))

const ask = Effect.fnUntraced(function* (key: string) {
  const result = yield* imagesOf({ idempotencyKey: key }).pipe(
    Effect.match({
      onSuccess: (images) => ({ outcome: "image", sha256: sha256(images) }),
      onFailure: ({ reason }) => ({ outcome: reason._tag })
    })
  )
  // There is no status if the key has no row, or if the journal cannot be reached at this moment.
  const found = Option.flatten(yield* Effect.option(DurableImages.get(key)))
  yield* Console.log(JSON.stringify({ key, ...result, status: Option.getOrUndefined(found)?.status }))
})

const program = Effect.andThen(
  Console.log("ready"),
  Effect.forEach(plan.keys, ask, { concurrency: plan.concurrency, discard: true })
)

await Effect.runPromise(program.pipe(Effect.provide(durable), Effect.provide(Logger.layer([]))))
