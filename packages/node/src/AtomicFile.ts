/**
 * Writes files atomically. A file is first written as a temporary file in the same folder, which then gets the name of
 * the file. On a file system without hard links, a file that `create` writes is visible but empty for a moment.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import { randomUUID } from "node:crypto"

type Writing = Effect.Effect<string, PlatformError, FileSystem.FileSystem | Path.Path>

/**
 * Writes a temporary file in the folder of `path`, then calls `put` to move it. Removes the temporary file if either
 * fails. Creates missing folders.
 */
const writeThen = Effect.fnUntraced(function* (
  path: string,
  bytes: Uint8Array,
  mode: Option.Option<number>,
  put: (temporary: string) => Effect.Effect<string, PlatformError>
) {
  const fs = yield* FileSystem.FileSystem
  const { dirname, join } = yield* Path.Path
  yield* fs.makeDirectory(dirname(path), { recursive: true })
  // The name does not contain the target's name, which may already have the maximum length.
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`)
  const write = Option.match(mode, {
    onNone: () => fs.writeFile(temporary, bytes),
    // The process's umask removes bits from the mode that writeFile sets, so chmod sets them again.
    onSome: (bits) => Effect.andThen(fs.writeFile(temporary, bytes, { mode: bits }), fs.chmod(temporary, bits))
  })
  return yield* Effect.andThen(write, put(temporary)).pipe(
    Effect.onError(() => Effect.ignore(fs.remove(temporary, { force: true })))
  )
})

const isTaken = ({ reason }: PlatformError) => reason._tag === "AlreadyExists"

/** Gives the temporary file the name `path`. Fails if anything with that name exists, even a broken link. */
const putNew = (fs: FileSystem.FileSystem, temporary: string, path: string): Effect.Effect<string, PlatformError> =>
  Effect.andThen(fs.link(temporary, path), Effect.ignore(fs.remove(temporary))).pipe(
    // Some file systems have no hard links. On these, an empty file reserves the name first.
    Effect.catchIf(
      (error) => !isTaken(error),
      () => Effect.andThen(fs.writeFile(path, new Uint8Array(0), { flag: "wx" }), fs.rename(temporary, path))
    ),
    Effect.as(path)
  )

/**
 * Writes a new file and returns its path. If `path` exists, the first path in `others` that does not exist is used;
 * `others` must be in the same folder. Fails with `AlreadyExists` if all of them exist. An existing file is never
 * changed.
 *
 * @category writing
 * @since 0.1.0
 */
export const create = (path: string, bytes: Uint8Array, others: Iterable<string> = []): Writing =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    writeThen(path, bytes, Option.none(), (temporary) => {
      const rest = others[Symbol.iterator]()
      const putFrom = (candidate: string): Effect.Effect<string, PlatformError> =>
        Effect.catchIf(putNew(fs, temporary, candidate), isTaken, (error) => {
          const next = rest.next()
          return next.done === true ? Effect.fail(error) : putFrom(next.value)
        })
      return putFrom(path)
    })
  )

/**
 * Writes a file and returns its path. An existing file is replaced, and its mode is kept. If `path` is a link to a
 * file, the file is replaced and the link is kept.
 *
 * @category writing
 * @since 0.1.0
 */
export const replace = (path: string, bytes: Uint8Array): Writing =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    // realPath fails if the file does not exist yet.
    const target = yield* Effect.orElseSucceed(fs.realPath(path), () => path)
    const mode = Option.map(yield* Effect.option(fs.stat(target)), (info) => info.mode & 0o7777)
    yield* writeThen(target, bytes, mode, (temporary) => Effect.as(fs.rename(temporary, target), target))
    return path
  })
