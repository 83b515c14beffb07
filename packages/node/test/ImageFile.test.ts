import { assert, describe, it } from "@effect/vitest"
import { GeneratedImage, ImageGenStreamEvent } from "@effect-gradient/core"
import { AtomicFile, ImageFile } from "@effect-gradient/node"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { Effect, Fiber, FileSystem, Layer, PlatformError, Stream } from "effect"
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { png } from "./support/server.ts"

const bytes = png(1000)
const image = new GeneratedImage.GeneratedImage({ bytes })

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "image-file-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

const list = (path: string) => Effect.promise(async () => (await readdir(path)).toSorted())

describe("ImageFile.write", () => {
  it.effect("adds the extension of the format, creates folders, and returns the path", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const path = yield* ImageFile.write(image, join(root, "a", "b", "otter"))
      assert.strictEqual(path, join(root, "a", "b", "otter.png"))
      assert.deepStrictEqual(yield* Effect.promise(() => readFile(path)), bytes)
    }).pipe(Effect.scoped)
  )

  it.effect("keeps an extension in the path", () =>
    Effect.gen(function* () {
      const root = yield* folder
      assert.strictEqual(yield* ImageFile.write(image, join(root, "otter.jpeg")), join(root, "otter.jpeg"))
    }).pipe(Effect.scoped)
  )

  it.effect("accepts a name of 255 bytes, as file systems do", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const name = `${"a".repeat(251)}.png`
      yield* ImageFile.write(image, join(root, name))
      assert.deepStrictEqual(yield* list(root), [name])
    }).pipe(Effect.scoped)
  )

  it.effect("uses the next free name if the file exists, and keeps the existing file", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* Effect.promise(() => writeFile(join(root, "otter.png"), "mine"))
      assert.strictEqual(yield* ImageFile.write(image, join(root, "otter")), join(root, "otter-2.png"))
      assert.strictEqual(yield* ImageFile.write(image, join(root, "otter.png")), join(root, "otter-3.png"))
      assert.strictEqual(yield* Effect.promise(() => readFile(join(root, "otter.png"), "utf8")), "mine")
      assert.deepStrictEqual(yield* Effect.promise(() => readFile(join(root, "otter-2.png"))), bytes)
      assert.deepStrictEqual(yield* list(root), ["otter-2.png", "otter-3.png", "otter.png"])
    }).pipe(Effect.scoped)
  )

  it.effect("uses the next free name if a folder, a broken link or a name of 255 bytes exists", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* Effect.promise(() => mkdir(join(root, "folder.png")))
      yield* Effect.promise(() => symlink(join(root, "nowhere"), join(root, "link.png")))
      assert.strictEqual(yield* ImageFile.write(image, join(root, "folder.png")), join(root, "folder-2.png"))
      assert.strictEqual(yield* ImageFile.write(image, join(root, "link.png")), join(root, "link-2.png"))
      const long = join(root, `${"é".repeat(125)}a.png`)
      assert.strictEqual(yield* ImageFile.write(image, long), long)
      assert.strictEqual(yield* ImageFile.write(image, long), join(root, `${"é".repeat(124)}-2.png`))
    }).pipe(Effect.scoped)
  )

  it.effect("replaces with overwrite, and keeps the mode of the file", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const path = join(root, "otter.png")
      yield* Effect.promise(() => writeFile(path, "mine", { mode: 0o600 }))
      assert.strictEqual(yield* ImageFile.write(image, path, { overwrite: true }), path)
      assert.deepStrictEqual(yield* Effect.promise(() => readFile(path)), bytes)
      assert.strictEqual((yield* Effect.promise(() => stat(path))).mode & 0o777, 0o600)
      assert.deepStrictEqual(yield* list(root), ["otter.png"])
    }).pipe(Effect.scoped)
  )

  it.effect("replaces the target of a link, or a broken link", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* Effect.promise(() => writeFile(join(root, "real.png"), "mine"))
      yield* Effect.promise(() => symlink("real.png", join(root, "link.png")))
      yield* Effect.promise(() => symlink("nowhere.png", join(root, "dangling.png")))
      for (const name of ["link.png", "dangling.png"]) {
        const path = join(root, name)
        assert.strictEqual(yield* ImageFile.write(image, path, { overwrite: true }), path)
        assert.deepStrictEqual(yield* Effect.promise(() => readFile(path)), bytes)
      }
      assert.deepStrictEqual(yield* Effect.promise(() => readFile(join(root, "real.png"))), bytes)
    }).pipe(Effect.scoped)
  )

  it.effect("gives each of several concurrent writers its own file", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const write = ImageFile.write(image, join(root, "otter"))
      const paths = yield* Effect.all([write, write, write, write], { concurrency: "unbounded" })
      assert.strictEqual(new Set(paths).size, 4)
      assert.deepStrictEqual(yield* list(root), ["otter-2.png", "otter-3.png", "otter-4.png", "otter.png"])
    }).pipe(Effect.scoped)
  )

  it.live("leaves no incomplete file when it is interrupted", () =>
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

  it.effect("fails with PlatformError if a folder cannot be created", () =>
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

  it.effect("the file has the latest image at each event", () =>
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

  it.effect("uses the next free name if a file exists, for all images of the stream", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* Effect.promise(() => writeFile(join(root, "otter.png"), "mine"))
      const latest = Stream.fromArray(events).pipe(ImageFile.writeLatest(join(root, "otter.png")))
      const paths = Array.from(yield* Stream.runCollect(latest), ({ path }) => path)
      assert.deepStrictEqual(
        paths,
        Array.from(events, () => join(root, "otter-2.png"))
      )
      yield* Stream.runDrain(latest)
      assert.deepStrictEqual(yield* list(root), ["otter-2.png", "otter-3.png", "otter.png"])
      assert.strictEqual(yield* Effect.promise(() => readFile(join(root, "otter.png"), "utf8")), "mine")
    }).pipe(Effect.scoped)
  )

  it.effect("replaces the file with overwrite", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* Effect.promise(() => writeFile(join(root, "otter.png"), "mine"))
      yield* Stream.fromArray(events).pipe(
        ImageFile.writeLatest(join(root, "otter"), { overwrite: true }),
        Stream.runDrain
      )
      assert.deepStrictEqual(yield* list(root), ["otter.png"])
    }).pipe(Effect.scoped)
  )
})

describe("AtomicFile.create", () => {
  const platform = Layer.merge(NodeFileSystem.layer, NodePath.layer)

  it.effect("fails if every name exists, and leaves no temporary file", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const path = join(root, "otter.png")
      yield* Effect.promise(() => writeFile(path, "mine"))
      const error = yield* Effect.flip(AtomicFile.create(path, bytes))
      assert.strictEqual(error.reason._tag, "AlreadyExists")
      assert.deepStrictEqual(yield* list(root), ["otter.png"])
    }).pipe(Effect.provide(platform), Effect.scoped)
  )

  it.effect("writes on file systems without hard links", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const fs = yield* FileSystem.FileSystem
      const error = PlatformError.systemError({ _tag: "PermissionDenied", module: "test", method: "link" })
      const linkless = { ...fs, link: () => Effect.fail(error) }
      const write = AtomicFile.create(join(root, "a"), bytes, [join(root, "b")])
      const twice = Effect.andThen(write, write).pipe(Effect.provideService(FileSystem.FileSystem, linkless))
      assert.strictEqual(yield* twice, join(root, "b"))
      assert.deepStrictEqual(yield* list(root), ["a", "b"])
      assert.deepStrictEqual(yield* Effect.promise(() => readFile(join(root, "b"))), bytes)
    }).pipe(Effect.provide(platform), Effect.scoped)
  )
})
