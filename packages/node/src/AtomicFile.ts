/**
 * Files that appear whole or not at all: each is written under another name in its folder, and then put in its place.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import { randomUUID } from "node:crypto"

type Writing = Effect.Effect<string, PlatformError, FileSystem.FileSystem | Path.Path>

/** Writes a temporary file beside `path` and removes it unless `put` succeeds. Makes folders that are missing. */
const writeThen = Effect.fnUntraced(function* (
  path: string,
  bytes: Uint8Array,
  mode: Option.Option<number>,
  put: (temporary: string) => Effect.Effect<string, PlatformError>
) {
  const fs = yield* FileSystem.FileSystem
  const { dirname, join } = yield* Path.Path
  yield* fs.makeDirectory(dirname(path), { recursive: true })
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`) // Short, however long the name of the target is.
  const write = Option.match(mode, {
    onNone: () => fs.writeFile(temporary, bytes),
    // The second, because the process's mask takes bits from the first.
    onSome: (bits) => Effect.andThen(fs.writeFile(temporary, bytes, { mode: bits }), fs.chmod(temporary, bits))
  })
  return yield* Effect.andThen(write, put(temporary)).pipe(
    Effect.onError(() => Effect.ignore(fs.remove(temporary, { force: true })))
  )
})

const isTaken = ({ reason }: PlatformError) => reason._tag === "AlreadyExists"

/** Puts the temporary file at `path`, unless anything is there. A link that leads nowhere counts too. */
const putNew = (fs: FileSystem.FileSystem, temporary: string, path: string): Effect.Effect<string, PlatformError> =>
  Effect.andThen(fs.link(temporary, path), Effect.ignore(fs.remove(temporary))).pipe(
    // Some file systems have no hard links. There an empty file reserves the name.
    Effect.catchIf(
      (error) => !isTaken(error),
      () => Effect.andThen(fs.writeFile(path, new Uint8Array(0), { flag: "wx" }), fs.rename(temporary, path))
    ),
    Effect.as(path)
  )

/**
 * Writes a new file and gives its path. If something is at `path`, it takes the first of the `others` that is free; these
 * are in the same folder. If none is free, it fails with `AlreadyExists`. Nothing that exists is ever changed.
 *
 * @category writing
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
 * Writes a file in place of what is at `path`, and gives the path. A file that was there keeps its mode, and a link that
 * leads to a file stays one.
 *
 * @category writing
 */
export const replace = (path: string, bytes: Uint8Array): Writing =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const target = yield* Effect.orElseSucceed(fs.realPath(path), () => path) // There may be nothing yet.
    const mode = Option.map(yield* Effect.option(fs.stat(target)), (info) => info.mode & 0o7777)
    yield* writeThen(target, bytes, mode, (temporary) => Effect.as(fs.rename(temporary, target), target))
    return path
  })
