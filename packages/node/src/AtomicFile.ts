/**
 * Writes files atomically: each is written to a temporary file in the same folder, which then takes its place.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import { randomUUID } from "node:crypto"

type Writing = Effect.Effect<string, PlatformError, FileSystem.FileSystem | Path.Path>

/** Writes a temporary file beside `path`, and removes it if `put` fails. Creates missing folders. */
const writeThen = Effect.fnUntraced(function* (
  path: string,
  bytes: Uint8Array,
  mode: Option.Option<number>,
  put: (temporary: string) => Effect.Effect<string, PlatformError>
) {
  const fs = yield* FileSystem.FileSystem
  const { dirname, join } = yield* Path.Path
  yield* fs.makeDirectory(dirname(path), { recursive: true })
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`) // The name does not contain the target's name, which may already have the maximum length.
  const write = Option.match(mode, {
    onNone: () => fs.writeFile(temporary, bytes),
    // chmod as well, because the process's umask removes bits from the mode of writeFile.
    onSome: (bits) => Effect.andThen(fs.writeFile(temporary, bytes, { mode: bits }), fs.chmod(temporary, bits))
  })
  return yield* Effect.andThen(write, put(temporary)).pipe(
    Effect.onError(() => Effect.ignore(fs.remove(temporary, { force: true })))
  )
})

const isTaken = ({ reason }: PlatformError) => reason._tag === "AlreadyExists"

/** Puts the temporary file at `path`. Fails if anything exists there, even a broken link. */
const putNew = (fs: FileSystem.FileSystem, temporary: string, path: string): Effect.Effect<string, PlatformError> =>
  Effect.andThen(fs.link(temporary, path), Effect.ignore(fs.remove(temporary))).pipe(
    // Some file systems lack hard links. There, an empty file reserves the name.
    Effect.catchIf(
      (error) => !isTaken(error),
      () => Effect.andThen(fs.writeFile(path, new Uint8Array(0), { flag: "wx" }), fs.rename(temporary, path))
    ),
    Effect.as(path)
  )

/**
 * Writes a new file and returns its path. If `path` exists, it uses the first of `others` that does not; these must be in
 * the same folder. If all exist, it fails with `AlreadyExists`. It never changes an existing file.
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
 * Writes a file, replaces an existing one, and returns the path. It keeps the mode of an existing file. If `path` is a link
 * to a file, that file is replaced and the link is kept.
 *
 * @category writing
 * @since 0.1.0
 */
export const replace = (path: string, bytes: Uint8Array): Writing =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const target = yield* Effect.orElseSucceed(fs.realPath(path), () => path) // The file may not exist yet.
    const mode = Option.map(yield* Effect.option(fs.stat(target)), (info) => info.mode & 0o7777)
    yield* writeThen(target, bytes, mode, (temporary) => Effect.as(fs.rename(temporary, target), target))
    return path
  })
