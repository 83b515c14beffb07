/**
 * The store in a folder. A file that `put` has written survives a power loss, unless the disk loses what it has
 * confirmed.
 */
import { GradientError } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { type Entry, StoreFailure } from "./storeModels.ts"

/**
 * Makes a failure with the message of the operating system, such as `ENOSPC: no space left on device`. Effect's own
 * message leaves it out.
 */
const failureOf = (path: string) => (cause: PlatformError) => {
  const words = cause.reason.cause instanceof Error ? cause.reason.cause.message : cause.message
  return new StoreFailure({ message: words.includes(path) ? words : `${path}: ${words}`, cause })
}

const isMissing = ({ reason }: PlatformError) => reason._tag === "NotFound"

/** Returns `value` if the file or folder is missing. */
const missingAs =
  <A>(value: A) =>
  (found: Effect.Effect<A, PlatformError>): Effect.Effect<A, PlatformError> =>
    Effect.catchIf(found, isMissing, () => Effect.succeed(value))

/**
 * Whether a file is complete. While a file is being written, its name begins with a dot. A crash may leave such a file.
 */
const isWhole = (name: string) => !name.startsWith(".")

const nothing = new Uint8Array()

/**
 * About the maximum number of folders that are remembered as existing. At this number all are forgotten, which only
 * means that they are created and synced once more.
 */
const mostMade = 1000

class Folder {
  /** Folders that are known to exist on the disk, so that they need not be created and synced again. */
  readonly #made = new Set<string>()
  readonly #rootLock = Semaphore.makeUnsafe(1)
  /** Callers that wait for the next sync of the root folder. */
  readonly #rootWaiting = new Set<{ isSynced: boolean }>()
  readonly #root: string
  readonly #fs: FileSystem.FileSystem
  readonly #path: Path.Path

  constructor(root: string, fs: FileSystem.FileSystem, path: Path.Path) {
    this.#root = root
    this.#fs = fs
    this.#path = path
  }

  at(path: string): string {
    return this.#path.join(this.#root, ...path.split("/"))
  }

  /**
   * Syncs a folder, so that the names of its files survive a power loss. On Windows this is not possible and not
   * necessary.
   */
  #syncFolder(folder: string): Effect.Effect<void, PlatformError> {
    return Effect.scoped(Effect.flatMap(this.#fs.open(folder, { flag: "r" }), (file) => file.sync)).pipe(
      Effect.catchIf(
        () => this.#path.sep === "\\",
        () => Effect.void
      )
    )
  }

  /**
   * Syncs the root folder once for all callers that wait for it, because many folders are created in it at the same
   * time.
   */
  #syncRoot(): Effect.Effect<void, PlatformError> {
    return Effect.suspend(() => {
      const own = { isSynced: false }
      this.#rootWaiting.add(own)
      const sync = Effect.suspend(() => {
        if (own.isSynced) return Effect.void
        const all = [...this.#rootWaiting]
        this.#rootWaiting.clear()
        return Effect.map(this.#syncFolder(this.#root), () => {
          for (const one of all) one.isSynced = true
        })
      })
      return this.#rootLock.withPermit(sync).pipe(Effect.ensuring(Effect.sync(() => this.#rootWaiting.delete(own))))
    })
  }

  /** Lists this folder and those above it, up to the root, without the folders that are known to exist on the disk. */
  #missing(folder: string): ReadonlyArray<string> {
    if (this.#made.has(folder)) return []
    return folder === this.#root ? [folder] : [...this.#missing(this.#path.dirname(folder)), folder]
  }

  /**
   * Creates a folder and those above it. Runs `meanwhile` while they are synced to the disk, and ends when both are
   * finished.
   */
  make(
    folder: string,
    meanwhile: Effect.Effect<void, PlatformError> = Effect.void
  ): Effect.Effect<void, PlatformError> {
    const missing = this.#missing(folder)
    if (missing.length === 0) return meanwhile
    const parents = missing.map((made) => this.#path.dirname(made))
    const syncs = parents.map((parent) => (parent === this.#root ? this.#syncRoot() : this.#syncFolder(parent)))
    return Effect.andThen(
      this.#fs.makeDirectory(folder, { recursive: true }),
      Effect.all([...syncs, meanwhile], { concurrency: "unbounded", discard: true })
    ).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          // Each generation has its own folder. Without a limit, the names of all folders of a large batch would fill
          // the memory.
          if (this.#made.size >= mostMade) this.#made.clear()
          for (const made of missing) this.#made.add(made)
        })
      )
    )
  }

  /**
   * Gives a file its name, unless a file with that name was created meanwhile. link() fails if the target exists. Some
   * file systems lack hard links. On these, the last of two files that are renamed at the same time is kept, because a
   * crash must not leave an empty file under the name.
   */
  #name(temporary: string, target: string): Effect.Effect<void, PlatformError> {
    const remove = Effect.ignore(this.#fs.remove(temporary, { force: true }))
    const rename = this.#fs.rename(temporary, target)
    return Effect.matchEffect(this.#fs.link(temporary, target), {
      onSuccess: () => remove,
      onFailure: ({ reason }) =>
        reason._tag === "AlreadyExists"
          ? remove
          : Effect.flatMap(this.#fs.exists(target), (exists) => (exists ? remove : rename))
    })
  }

  put(path: string, bytes: Uint8Array): Effect.Effect<void, PlatformError> {
    const target = this.at(path)
    const folder = this.#path.dirname(target)
    const temporary = this.#path.join(folder, `.${SecureRandom.uuidV4Unsafe()}.tmp`)
    const write = Effect.scoped(
      Effect.flatMap(this.#fs.open(temporary, { flag: "wx", mode: 0o600 }), (file) =>
        Effect.andThen(file.writeAll(bytes), file.sync)
      )
    )
    const put = Effect.andThen(this.make(folder, write), this.#name(temporary, target)).pipe(
      Effect.onError(() => Effect.ignore(this.#fs.remove(temporary, { force: true }))),
      Effect.andThen(this.#syncFolder(folder))
    )
    // In a folder that this process has made, the file is not looked for, because that costs time and the file is
    // usually new; `#name` keeps an older one. A failure clears `#made`, so a retry writes no file for a second time.
    const exists = this.#made.has(folder) ? Effect.succeed(false) : this.#fs.exists(target)
    return Effect.flatMap(exists, (isThere) => (isThere ? this.#syncFolder(folder) : put)).pipe(
      Effect.tapError(() => Effect.sync(() => this.#made.clear()))
    )
  }

  /**
   * Reads a piece of a file. The file is opened for each piece, because a caller who reads slowly must not hold one of
   * the process's file descriptors.
   */
  read(path: string, start: number, length: number): Effect.Effect<Option.Option<Uint8Array>, PlatformError> {
    return Effect.scoped(
      Effect.flatMap(this.#fs.open(this.at(path), { flag: "r" }), (file) =>
        file.readAlloc(length, { position: BigInt(start) })
      )
    ).pipe(
      // `readAlloc` returns `None` at the end of the file.
      Effect.map((bytes) => Option.some(Option.getOrElse(bytes, () => nothing))),
      missingAs<Option.Option<Uint8Array>>(Option.none())
    )
  }

  entry(path: string): Effect.Effect<Option.Option<Entry>, PlatformError> {
    return Effect.map(this.#fs.stat(this.at(path)), ({ size, type }) =>
      type === "File" ? Option.some({ path, size: Number(size) }) : Option.none()
    ).pipe(missingAs<Option.Option<Entry>>(Option.none()))
  }

  list(folder: string): Stream.Stream<Entry, PlatformError> {
    const names = missingAs<ReadonlyArray<FileSystem.DirectoryEntry>>([])(
      this.#fs.readDirectoryEntries(folder === "" ? this.#root : this.at(folder))
    )
    return Stream.fromIterableEffect(names).pipe(
      Stream.filter(({ name }) => isWhole(name)),
      Stream.flatMap(({ name, type }) => {
        const path = folder === "" ? name : `${folder}/${name}`
        if (type === "Directory") return this.list(path)
        return Stream.fromIterableEffect(Effect.map(this.entry(path), Option.toArray))
      })
    )
  }

  remove(path: string): Effect.Effect<void, PlatformError> {
    this.#made.clear()
    return this.#fs.remove(this.at(path), { recursive: true, force: true })
  }
}

export const makeFolder = Effect.fnUntraced(function* (given: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const root = path.resolve(given)
  const folder = new Folder(root, fs, path)
  const check = Effect.gen(function* () {
    yield* folder.make(root)
    yield* fs.access(root, { writable: true })
  })
  yield* Effect.mapError(check, (cause) =>
    GradientError.fromReason(
      new GradientError.InvalidParamsError({
        description: `The store must be a folder that can be written to (got ${given}): ${cause.message}`,
        cause
      })
    )
  )
  const failsAt = (at: string) => failureOf(folder.at(at))
  return {
    put: (at: string, bytes: Uint8Array) => Effect.mapError(folder.put(at, bytes), failsAt(at)),
    get: (at: string) =>
      fs
        .readFile(folder.at(at))
        .pipe(
          Effect.map(Option.some),
          missingAs<Option.Option<Uint8Array>>(Option.none()),
          Effect.mapError(failsAt(at))
        ),
    read: (at: string, start: number, length: number) => Effect.mapError(folder.read(at, start, length), failsAt(at)),
    head: (at: string) => Effect.mapError(folder.entry(at), failsAt(at)),
    list: (at: string) => Stream.mapError(folder.list(at), failsAt(at)),
    remove: (at: string) => Effect.mapError(folder.remove(at), failsAt(at))
  }
})
