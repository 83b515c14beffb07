import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PlatformError from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ImageStore } from "../src/index.ts"
import { inBucket, s3 } from "./support/s3.ts"

const newFolder = () => join(mkdtempSync(join(tmpdir(), "store-")), "images")
const folder = (path: string) => ImageStore.layerFolder(path).pipe(Layer.provide(NodeServices.layer))
const bytes = (...values: ReadonlyArray<number>) => Uint8Array.from(values)

/** The machine's files, as if their file system had no hard links. */
const withoutLinks = Layer.effect(
  FileSystem.FileSystem,
  Effect.map(FileSystem.FileSystem, (fs) => {
    const link: typeof fs.link = (from) =>
      Effect.fail(
        PlatformError.systemError({ _tag: "Unknown", module: "FileSystem", method: "link", pathOrDescriptor: from })
      )
    return FileSystem.FileSystem.of({ ...fs, link })
  })
).pipe(Layer.provideMerge(NodeServices.layer))

const stores = [
  ["in memory", () => ImageStore.layerMemory],
  ["in a folder", () => folder(newFolder())],
  ["in a bucket", () => Layer.unwrap(Effect.map(s3, ({ options }) => inBucket(options)))],
  [
    "in a folder of a bucket",
    () => Layer.unwrap(Effect.map(s3, ({ options }) => inBucket({ ...options, prefix: "a b/ü" })))
  ]
] as const

describe.each(stores)("a store %s", (name, layer) => {
  const inStore = <A, E>(run: (store: ImageStore.ImageStore["Service"]) => Effect.Effect<A, E>) =>
    Effect.scoped(Effect.flatMap(Layer.build(layer()), (context) => run(Context.get(context, ImageStore.ImageStore))))

  it.effect("gives what was put, with its size", () =>
    inStore((store) =>
      Effect.gen(function* () {
        yield* store.put("id/1-a/image-0.png", bytes(1, 2, 3))
        expect([...Option.getOrThrow(yield* store.get("id/1-a/image-0.png"))]).toEqual([1, 2, 3])
        expect(yield* store.head("id/1-a/image-0.png")).toEqual(Option.some({ path: "id/1-a/image-0.png", size: 3 }))
      })
    )
  )

  it.effect("reads a file in pieces, up to its end; nothing of a file that is not there", () =>
    inStore((store) =>
      Effect.gen(function* () {
        yield* store.put("id/1-a/image-0.png", bytes(1, 2, 3, 4, 5))
        const read = (start: number, length: number) =>
          Effect.map(store.read("id/1-a/image-0.png", start, length), (found) => [...Option.getOrThrow(found)])
        expect(yield* read(0, 2)).toEqual([1, 2])
        expect(yield* read(2, 2)).toEqual([3, 4])
        expect(yield* read(4, 2)).toEqual([5])
        expect(yield* read(5, 2)).toEqual([])
        expect(yield* store.read("id/none", 0, 2)).toEqual(Option.none())
      })
    )
  )

  it.effect("never writes a file twice", (context) =>
    inStore((store) =>
      Effect.gen(function* () {
        if (name.includes("bucket")) return context.skip("this server does not know If-None-Match: see S3Store.test.ts")
        yield* store.put("id/file", bytes(1))
        yield* store.put("id/file", bytes(2))
        expect([...Option.getOrThrow(yield* store.get("id/file"))]).toEqual([1])
      })
    )
  )

  it.effect("never writes a file twice, even if it is put several times at once", (context) =>
    inStore((store) =>
      Effect.gen(function* () {
        if (name.includes("bucket")) return context.skip("this server does not know If-None-Match: see S3Store.test.ts")
        const values = Array.from({ length: 16 }, (_, value) => value)
        const found = yield* Effect.forEach(
          values,
          (value) => Effect.andThen(store.put("id/file", bytes(value)), store.get("id/file")),
          { concurrency: "unbounded" }
        )
        expect(new Set(found.map((file) => [...Option.getOrThrow(file)].join())).size).toBe(1)
      })
    )
  )

  it.effect("has nothing where nothing was put", () =>
    inStore((store) =>
      Effect.gen(function* () {
        expect(yield* store.get("id/none")).toEqual(Option.none())
        expect(yield* store.head("id/none")).toEqual(Option.none())
        expect(yield* Stream.runCollect(store.list("id"))).toEqual([])
        yield* store.remove("id")
      })
    )
  )

  it.effect("lists and removes a folder, and leaves its neighbours", () =>
    inStore((store) =>
      Effect.gen(function* () {
        for (const path of ["a/1/x", "a/2/y", "ab/1/z"]) yield* store.put(path, bytes(1))
        const paths = Effect.map(Stream.runCollect(store.list("")), (all) => all.map(({ path }) => path).toSorted())
        expect((yield* Stream.runCollect(store.list("a"))).map(({ path }) => path).toSorted()).toEqual([
          "a/1/x",
          "a/2/y"
        ])
        yield* store.remove("a")
        expect(yield* paths).toEqual(["ab/1/z"])
        yield* store.put("a/1/x", bytes(1))
        expect(yield* paths).toEqual(["a/1/x", "ab/1/z"])
      })
    )
  )
})

describe("a store in a folder", () => {
  it.effect("refuses a path that is a file, by name", () =>
    Effect.gen(function* () {
      const file = join(mkdtempSync(join(tmpdir(), "store-")), "file")
      writeFileSync(file, "")
      const error = yield* Effect.flip(Effect.scoped(Layer.build(folder(file))))
      expect(error.reason._tag).toBe("InvalidParamsError")
      expect(error.message).toContain("The store must be a folder")
    })
  )

  it.effect("leaves no other files behind", () =>
    Effect.gen(function* () {
      const path = newFolder()
      const store = Context.get(yield* Layer.build(folder(path)), ImageStore.ImageStore)
      yield* store.put("id/1-a/file", bytes(1))
      expect(readdirSync(join(path, "id", "1-a"))).toEqual(["file"])
    }).pipe(Effect.scoped)
  )
})

describe("a store in a folder on a file system without hard links", () => {
  it.effect("keeps the first of two files that are put one after the other", () =>
    Effect.gen(function* () {
      const store = yield* ImageStore.ImageStore
      yield* store.put("id/file", bytes(1))
      yield* store.put("id/file", bytes(2))
      expect([...Option.getOrThrow(yield* store.get("id/file"))]).toEqual([1])
    }).pipe(Effect.provide(ImageStore.layerFolder(newFolder()).pipe(Layer.provide(withoutLinks))))
  )
})
