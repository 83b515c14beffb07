import type { GradientError } from "@effect-gradient/core"
import { Images, RetryPolicy } from "@effect-gradient/core"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import { describe, expect, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DurableImages, GenerationJournal, ImageBatch, ImageStore } from "../src/index.ts"
import { answering, type Shared, shared } from "./support/Durable.ts"

/** One simulated process that can run a batch. */
const processOn = ({ journal, store }: Shared, script: TestTransport.Script, options: DurableImages.Options = {}) =>
  Layer.build(
    DurableImages.layer(options).pipe(
      Layer.provideMerge(TestTransport.layerImages(script, { retry: RetryPolicy.none })),
      Layer.provideMerge(Layer.succeed(GenerationJournal.GenerationJournal, journal)),
      Layer.provideMerge(Layer.succeed(ImageStore.ImageStore, store))
    )
  )

const line = (id: string, params: object = { prompt: `A picture of ${id}` }) => JSON.stringify({ id, ...params })
const many = (count: number) => Array.from({ length: count }, (_, index) => line(`otter ${index}`))
const linesOf = (texts: ReadonlyArray<string>) => Stream.fromIterable(texts)
const run = (name: string, texts: ReadonlyArray<string>, concurrency = 8) =>
  Effect.map(Stream.runCollect(ImageBatch.run({ name, lines: linesOf(texts), concurrency })), (all) => all.at(-1))

/**
 * A service that replies with `reply` to the first request and then to every `every`-th one, and with an image to all
 * others.
 */
const failing = (every: number, reply: Parameters<typeof TestTransport.respond>[0]): TestTransport.Script => {
  let count = 0
  return () =>
    count++ % every === 0
      ? TestTransport.respond(reply)
      : TestTransport.response(TestImages.makeResponse(TestImages.png))
}

const requests = Effect.map(TestTransport.requests, ({ length }) => length)
const reasonOf = <A, R>(effect: Effect.Effect<A, GradientError.GradientError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

describe("ImageBatch.run", () => {
  it.live("asks for each line once, whatever the number of lines and of times it runs", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const process = yield* processOn(all, answering)
      const end = yield* Effect.provide(run("otters", many(1203)), process)
      expect(end).toMatchObject({ batch: "otters", total: 1203, done: 1203, failed: 0, inDoubt: 0, waiting: 0 })
      const again = yield* processOn(all, [])
      expect(yield* Effect.provide(run("otters", many(1203)), again)).toMatchObject({ done: 1203, images: 1203 })
      expect(yield* Effect.provide(requests, again)).toBe(0)
      const found = yield* Effect.provide(DurableImages.get("otters/otter 7"), again)
      expect(Option.getOrUndefined(found)).toMatchObject({ status: "done", labels: { batch: "otters" } })
    }).pipe(Effect.scoped)
  )

  it.live("reports every bad line by its number, and ids that are there twice, before anything is sent", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, [])
      const texts = [
        line("a"),
        "",
        "{",
        line("b", { prompt: "x", n: 11, output_format: "png" }),
        line("c", { prompt: "" }),
        line("d", { prompt: "x", colour: "red" }),
        JSON.stringify({ prompt: "x" }),
        line("a")
      ]
      const reason = yield* Effect.provide(reasonOf(run("bad", texts)), process)
      if (reason._tag !== "InvalidParamsError") return expect(reason._tag).toBe("InvalidParamsError")
      expect(reason.issues.map(({ param }) => param)).toEqual([
        "line 3",
        "line 4: n",
        "line 5: prompt",
        "line 6: colour",
        "line 7: id",
        "line 8: id"
      ])
      expect(reason.message).toContain('line 8: id must be one that no other line has (got "a", as in line 1)')
      expect(reason.message).toContain("line 4: n must be 1 to 10 (got 11)")
      expect((yield* Effect.provide(reasonOf(run("none", ["", " "])), process)).message).toContain(
        "at least one request"
      )
    }).pipe(Effect.scoped)
  )

  it.live("refuses another file under the name of a batch, and a name or concurrency that cannot be used", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, answering)
      yield* Effect.provide(run("otters", many(3)), process)
      const other = yield* Effect.provide(reasonOf(run("otters", many(4))), process)
      expect(other._tag).toBe("ConflictError")
      expect(other.message).toContain('the batch "otters" has other lines')
      expect((yield* Effect.provide(reasonOf(run("", many(1))), process)).message).toContain("name must be 1 to 100")
      expect((yield* Effect.provide(reasonOf(run("x", many(1), 0)), process)).message).toContain("concurrency must be")
      const worker = Stream.runDrain(ImageBatch.worker({ name: "unknown" }))
      expect((yield* Effect.provide(reasonOf(worker), process)).message).toContain("the name of a batch in this store")
    }).pipe(Effect.scoped)
  )

  const blocked = { status: 400, json: { error: { message: "no", code: "moderation_blocked" } } }

  it.live("goes on after a refused request, and asks for it once more when it is run again", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const first = yield* processOn(all, failing(5, blocked))
      expect(yield* Effect.provide(run("otters", many(20), 1), first)).toMatchObject({ done: 16, failed: 4 })
      const helper = yield* processOn(all, [])
      const worker = Stream.runLast(ImageBatch.worker({ name: "otters" }))
      expect(Option.getOrUndefined(yield* Effect.provide(worker, helper))).toMatchObject({ failed: 4 })
      const second = yield* processOn(all, answering)
      expect(yield* Effect.provide(run("otters", many(20)), second)).toMatchObject({ done: 20, failed: 0 })
      expect(yield* Effect.provide(requests, second)).toBe(4)
    }).pipe(Effect.scoped)
  )

  it.live("counts what is in doubt, and does not send it again", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const first = yield* processOn(all, failing(5, { status: 500, json: {} }))
      expect(yield* Effect.provide(run("otters", many(5)), first)).toMatchObject({ done: 4, inDoubt: 1 })
      const second = yield* processOn(all, [])
      expect(yield* Effect.provide(run("otters", many(5)), second)).toMatchObject({ done: 4, inDoubt: 1 })
      expect(yield* Effect.provide(ImageBatch.status("otters"), second)).toMatchObject({ done: 4, inDoubt: 1 })
    }).pipe(Effect.scoped)
  )

  const asked = { salt: undefined, digest: undefined, labels: {}, model: "m", n: 1 }
  const lost = { token: "t", holder: "a killed process", leaseMillis: 0 }

  it.live.each(["sending", "doubt"])("finds the images of a request in doubt that were all stored: %s", (state) =>
    Effect.gen(function* () {
      const all = yield* shared
      const key = "otters/otter 0"
      const id = createHash("sha256").update(key).digest("hex")
      yield* all.journal.move(id, GenerationJournal.Move.Begin({ ...asked, ...lost, key }))
      if (state === "doubt") {
        yield* all.journal.move(id, GenerationJournal.Move.Doubt({ token: "t", note: "StoreError", images: 0 }))
      }
      yield* all.store.put(`${id}/1-t/image-0.png`, TestImages.png)
      const process = yield* processOn(all, [], { lease: "3 seconds" })
      expect(yield* Effect.provide(run("otters", many(1)), process)).toMatchObject({ done: 1, inDoubt: 0, images: 1 })
      expect(yield* Effect.provide(requests, process)).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.live("stops if a key belongs to a generation with other params", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const first = yield* processOn(all, failing(1, { status: 500, json: {} }))
      const other = Images.generate({ prompt: "a fox" }, { idempotencyKey: "otters/otter 0" })
      yield* Effect.flip(Effect.provide(other, first))
      const process = yield* processOn(all, answering)
      const reason = yield* Effect.provide(reasonOf(run("otters", many(1))), process)
      expect(reason).toMatchObject({ _tag: "ConflictError", code: "idempotency_key_reused" })
    }).pipe(Effect.scoped)
  )

  it.live("of two first runs with other lines under one name, refuses one, and the other is done", () =>
    Effect.gen(function* () {
      const path = join(mkdtempSync(join(tmpdir(), "batch-")), "images")
      const { journal } = yield* shared
      const context = yield* Layer.build(ImageStore.layerFolder(path).pipe(Layer.provide(NodeServices.layer)))
      const store = Context.get(context, ImageStore.ImageStore)
      const bothLooked = yield* Latch.make()
      let looked = 0
      const get: typeof store.get = (file) =>
        Effect.tap(store.get(file), () => {
          if (!file.endsWith("batch.json") || ++looked > 2) return Effect.void
          return looked === 2 ? bothLooked.open : bothLooked.await
        })
      const process = yield* processOn({ journal, store: { ...store, get } }, answering)
      const runs = ["a", "b"].map((id) => Effect.result(Effect.provide(run("otters", [line(id), line("c")]), process)))
      const results = yield* Effect.all(runs, { concurrency: 2 })
      expect(results.filter(Result.isFailure).map(({ failure }) => failure.reason._tag)).toEqual(["ConflictError"])
      expect(results.filter(Result.isSuccess)).toMatchObject([{ success: { done: 2 } }])
      expect(yield* Effect.provide(requests, process)).toBe(2)
    }).pipe(Effect.scoped)
  )

  it.live("counts what a person has given up as abandoned, and neither sends it nor waits for it", () =>
    Effect.gen(function* () {
      const all = yield* shared
      const first = yield* processOn(all, failing(5, { status: 500, json: {} }))
      yield* Effect.provide(run("otters", many(5), 1), first)
      const [doubt] = yield* Effect.provide(Stream.runCollect(DurableImages.list({ status: "in-doubt" })), first)
      const { attempt = 0, key = "" } = doubt ?? {}
      yield* Effect.provide(DurableImages.resolve(key, { attempt, as: "abandon" }), first)
      const second = yield* processOn(all, [])
      expect(yield* Effect.provide(run("otters", many(5)), second)).toMatchObject({
        done: 4,
        inDoubt: 0,
        abandoned: 1,
        waiting: 0
      })
    }).pipe(Effect.scoped)
  )

  it.live.each([401, 403, 404, 402])("stops at once after %d: every other request would fail as well", (status) =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, () => TestTransport.respond({ status, json: {} }))
      const reason = yield* Effect.provide(reasonOf(run("otters", many(500), 2)), process)
      expect(reason.mayHaveBeenCharged).toBe(false)
      expect(yield* Effect.provide(requests, process)).toBeLessThan(10)
    }).pipe(Effect.scoped)
  )

  it.live("stops when the images of a request cannot be stored: those of the others would be paid for and lost", () =>
    Effect.gen(function* () {
      const { journal, store } = yield* shared
      const put = (path: string, bytes: Uint8Array) =>
        path.startsWith("batches/")
          ? store.put(path, bytes)
          : Effect.fail(new ImageStore.StoreFailure({ message: "no space left on device", cause: undefined }))
      const full = yield* processOn({ journal, store: { ...store, put } }, answering)
      const reason = yield* Effect.provide(reasonOf(run("otters", many(50), 2)), full)
      expect(reason).toMatchObject({ _tag: "StoreError", phase: "after" })
      expect(reason.message).toContain("no space left on device")
      expect(yield* Effect.provide(requests, full)).toBeLessThanOrEqual(4)
    }).pipe(Effect.scoped)
  )

  it.live("does not take the lines of a copy that was not finished for those of a changed file", () =>
    Effect.gen(function* () {
      const { journal, store } = yield* shared
      // The store refuses to write `batch.json`, as if the process had ended before the copy of the lines was complete.
      const put = (path: string, bytes: Uint8Array) =>
        path.endsWith("batch.json")
          ? Effect.fail(new ImageStore.StoreFailure({ message: "gone", cause: undefined }))
          : store.put(path, bytes)
      const dying = yield* processOn({ journal, store: { ...store, put } }, [])
      yield* Effect.provide(Effect.flip(run("otters", [line("a", { prompt: "OLD" })])), dying)
      const process = yield* processOn({ journal, store }, answering)
      const texts = [line("a", { prompt: "NEW" }), line("b", { prompt: "NEW" })]
      expect(yield* Effect.provide(run("otters", texts), process)).toMatchObject({ done: 2 })
      const sent = yield* Effect.provide(TestTransport.requests, process)
      expect(JSON.stringify(sent)).not.toContain("OLD")
    }).pipe(Effect.scoped)
  )

  it.live("refuses a name with a slash, and a batch whose images are in another store", () =>
    Effect.gen(function* () {
      const { journal, store } = yield* shared
      const process = yield* processOn({ journal, store }, answering)
      expect((yield* Effect.provide(reasonOf(run("a/b", many(1))), process)).message).toContain("without a slash")
      yield* Effect.provide(run("otters", many(2)), process)
      const other = yield* processOn({ journal, store: (yield* shared).store }, [])
      const reason = yield* Effect.provide(reasonOf(run("otters", many(2))), other)
      expect(reason.message).toContain("the journal has 2 finished requests of a batch")
    }).pipe(Effect.scoped)
  )

  it.live("keeps prompts out of the journal", () =>
    Effect.gen(function* () {
      const all = yield* shared
      yield* Effect.provide(run("otters", many(3)), yield* processOn(all, answering))
      expect(JSON.stringify(yield* all.journal.list({ limit: 10 }))).not.toContain("A picture of")
    }).pipe(Effect.scoped)
  )
})
