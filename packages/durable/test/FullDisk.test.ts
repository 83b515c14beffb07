import { type GeneratedImage, type GradientError, Images } from "@effect-gradient/core"
import { describe, expect, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DurableImages, ImageStore } from "../src/index.ts"
import { onDisk } from "./support/onDisk.ts"
import { service } from "./support/processes.ts"

const noMount = "a small disk cannot be mounted here: that needs Linux and root"

/** Mounts a disk of 1 MB. Returns `None` if this system does not allow that. */
const smallDisk = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "small-disk-"))
    const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder])
    if (status === 0) return Option.some(folder)
    rmdirSync(folder)
    return Option.none<string>()
  }),
  Option.match({
    onNone: () => Effect.void,
    onSome: (folder) =>
      Effect.sync(() => {
        spawnSync("umount", [folder])
        rmdirSync(folder)
      })
  })
)

/** Writes a file that leaves only this many blocks of the disk free. */
const fill = (folder: string, free: number) => {
  const { bavail, bsize } = statfsSync(folder)
  writeFileSync(join(folder, "filler"), Buffer.alloc(Math.max(0, bavail - free) * bsize))
}

const key = "a key"
const generate = Images.generate({ prompt: "a sea otter", n: 2 }, { idempotencyKey: key })
const bytesOf = (images: ReadonlyArray<GeneratedImage.GeneratedImage>) => images.map(({ bytes }) => Buffer.from(bytes))
const reasonOf = <A, R>(effect: Effect.Effect<A, GradientError.GradientError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

/**
 * Sets up a store on a small disk and a journal on another one. `fillDisk` leaves this many blocks of the small disk
 * free, `freeDisk` makes room again.
 */
const onFullDisk = (free: number) =>
  Effect.gen(function* () {
    const disk = yield* smallDisk
    if (Option.isNone(disk)) return undefined
    const { baseUrl, generations } = yield* service
    const folder = mkdtempSync(join(tmpdir(), "full-disk-"))
    const store = join(disk.value, "images")
    const fillDisk = Effect.sync(() => fill(disk.value, free))
    const freeDisk = Effect.sync(() => rmSync(join(disk.value, "filler")))
    const paid = () => [...generations.values()]
    return { places: { baseUrl, store, journal: join(folder, "journal.db") }, folder, fillDisk, freeDisk, paid }
  })

describe("a store whose disk is full", () => {
  it.live("leaves the images with the error, which names the disk, and nothing is paid for again", (context) =>
    Effect.gen(function* () {
      const full = yield* onFullDisk(0)
      if (full === undefined) return context.skip(noMount)
      const { fillDisk, freeDisk, paid, places } = full
      yield* onDisk(
        places,
        Effect.gen(function* () {
          yield* fillDisk
          const reason = yield* reasonOf(generate)
          expect(reason).toMatchObject({ _tag: "StoreError", phase: "after", isRetryable: false })
          expect(reason.mayHaveBeenCharged).toBe(true)
          expect(reason.message).toMatch(/no space left on device/i)
          expect(bytesOf(reason.images).map(({ length }) => length)).toEqual([4008, 4008])
          expect(Option.getOrThrow(yield* DurableImages.get(key))).toMatchObject({
            status: "in-doubt",
            note: "StoreError"
          })
          yield* freeDisk
          expect((yield* reasonOf(generate))._tag).toBe("InDoubtError")
          expect(paid()).toEqual([1])
        })
      )
      expect(readdirSync(places.store, { recursive: true }).filter((name) => String(name).endsWith(".tmp"))).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.live("keeps what it had room for: the doubt has that image, and a person can accept it", (context) =>
    Effect.gen(function* () {
      const full = yield* onFullDisk(1)
      if (full === undefined) return context.skip(noMount)
      const { fillDisk, freeDisk, paid, places } = full
      yield* onDisk(
        places,
        Effect.gen(function* () {
          yield* fillDisk
          const reason = yield* reasonOf(generate)
          expect(reason).toMatchObject({ _tag: "StoreError", phase: "after" })
          expect(reason.images.length).toBe(2)
          yield* freeDisk
          const doubt = yield* reasonOf(generate)
          expect(doubt._tag).toBe("InDoubtError")
          expect(bytesOf(doubt.images)).toEqual(bytesOf(reason.images.slice(0, 1)))
          yield* DurableImages.resolve(key, { attempt: 1, as: "accept" })
          expect(bytesOf((yield* generate).data)).toEqual(bytesOf(doubt.images))
          expect(paid()).toEqual([1])
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("has a spare: the call succeeds, and asking again finds the images there", (context) =>
    Effect.gen(function* () {
      const full = yield* onFullDisk(1)
      if (full === undefined) return context.skip(noMount)
      const { fillDisk, folder, paid, places } = full
      const built = yield* Layer.build(
        ImageStore.layerFolder(join(folder, "spare")).pipe(Layer.provide(NodeServices.layer))
      )
      const options = { spare: Context.get(built, ImageStore.ImageStore) }
      const first = yield* onDisk(places, Effect.andThen(fillDisk, generate), options)
      const again = yield* onDisk(places, generate, options)
      expect(bytesOf(again.data)).toEqual(bytesOf(first.data))
      const found = yield* onDisk(places, DurableImages.get(key), options)
      expect(Option.getOrThrow(found)).toMatchObject({ status: "done", images: 2 })
      expect(paid()).toEqual([1])
    }).pipe(Effect.scoped)
  )
})
