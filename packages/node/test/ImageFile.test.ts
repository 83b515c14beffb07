import { assert, describe, it } from "@effect/vitest"
import { GeneratedImage, ImageGenStreamEvent } from "@effect-gradient/core"
import { ImageFile } from "@effect-gradient/node"
import { Effect, Fiber, Stream } from "effect"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { png } from "./support/server.ts"

const bytes = png(1000)
const image = new GeneratedImage.GeneratedImage({ bytes })

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "image-file-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

const list = (path: string) => Effect.promise(() => readdir(path))

describe("ImageFile.write", () => {
  it.effect("adds the extension of the format, makes folders, and gives the path", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const path = yield* ImageFile.write(image, join(root, "a", "b", "otter"))
      assert.strictEqual(path, join(root, "a", "b", "otter.png"))
      assert.deepStrictEqual(yield* Effect.promise(() => readFile(path)), bytes)
    }).pipe(Effect.scoped)
  )

  it.effect("keeps an extension that is there", () =>
    Effect.gen(function* () {
      const root = yield* folder
      assert.strictEqual(yield* ImageFile.write(image, join(root, "otter.jpeg")), join(root, "otter.jpeg"))
    }).pipe(Effect.scoped)
  )

  it.effect("takes a name of 255 bytes, as file systems do", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const name = `${"a".repeat(251)}.png`
      yield* ImageFile.write(image, join(root, name))
      assert.deepStrictEqual(yield* list(root), [name])
    }).pipe(Effect.scoped)
  )

  it.effect("leaves a file that is there, unless told", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const path = join(root, "otter.png")
      yield* Effect.promise(() => writeFile(path, "mine"))
      const error = yield* Effect.flip(ImageFile.write(image, path))
      assert.strictEqual(error.reason._tag, "AlreadyExists")
      assert.include(error.message, path)
      assert.strictEqual(yield* Effect.promise(() => readFile(path, "utf8")), "mine")
      yield* ImageFile.write(image, path, { overwrite: true })
      assert.deepStrictEqual(yield* Effect.promise(() => readFile(path)), bytes)
      assert.deepStrictEqual(yield* list(root), ["otter.png"])
    }).pipe(Effect.scoped)
  )

  it.effect("of two writers at once, one wins and the other is told", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const write = Effect.result(ImageFile.write(image, join(root, "otter")))
      const results = yield* Effect.all([write, write, write, write], { concurrency: "unbounded" })
      assert.strictEqual(results.filter(({ _tag }) => _tag === "Success").length, 1)
      assert.deepStrictEqual(yield* list(root), ["otter.png"])
    }).pipe(Effect.scoped)
  )

  it.live("leaves no half file when it is interrupted", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const large = new GeneratedImage.GeneratedImage({ bytes: png(50_000_000) })
      const fiber = yield* Effect.forkChild(ImageFile.write(large, join(root, "otter")))
      yield* Effect.sleep("5 millis")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(
        (yield* list(root)).filter((name) => name !== "otter.png"),
        []
      )
    }).pipe(Effect.scoped)
  )

  it.effect("a folder that cannot be made is a PlatformError", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* Effect.promise(() => writeFile(join(root, "file"), ""))
      const error = yield* Effect.flip(ImageFile.write(image, join(root, "file", "otter")))
      assert.strictEqual(error._tag, "PlatformError")
    }).pipe(Effect.scoped)
  )
})

describe("ImageFile.writeLatest", () => {
  const events = [0, 1, 2].map(
    (partialImageIndex) =>
      new ImageGenStreamEvent.PartialImage({ bytes: png(100 + partialImageIndex), partialImageIndex })
  )

  it.effect("the file holds the latest picture at each event", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const sizes = yield* Stream.fromArray(events).pipe(
        ImageFile.writeLatest(join(root, "otter")),
        Stream.mapEffect(({ path }) =>
          Effect.map(
            Effect.promise(() => readFile(path)),
            ({ length }) => length
          )
        ),
        Stream.runCollect
      )
      assert.deepStrictEqual(
        sizes,
        events.map((event) => event.bytes.length)
      )
      assert.deepStrictEqual(yield* list(root), ["otter.png"])
    }).pipe(Effect.scoped)
  )

  it.effect("leaves a file that was there before, unless told", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* Effect.promise(() => writeFile(join(root, "otter.png"), "mine"))
      const write = Stream.fromArray(events).pipe(ImageFile.writeLatest(join(root, "otter")), Stream.runDrain)
      assert.strictEqual((yield* Effect.flip(write)).reason._tag, "AlreadyExists")
    }).pipe(Effect.scoped)
  )

  it.effect("asks for nothing where a file of that name is there", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* Effect.promise(() => writeFile(join(root, "otter.png"), "mine"))
      const asked = Stream.fromEffect(Effect.die("it was asked"))
      const write = asked.pipe(ImageFile.writeLatest(join(root, "otter.png")), Stream.runDrain)
      assert.strictEqual((yield* Effect.flip(write)).reason._tag, "AlreadyExists")
    }).pipe(Effect.scoped)
  )
})
