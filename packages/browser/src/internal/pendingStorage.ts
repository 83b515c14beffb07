/**
 * Keeps requests in the browser's storage until their images have been taken. A request is not kept if the storage is
 * full, or if the user denies pages the use of it.
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const Kept = Schema.Struct({
  id: Schema.String,
  url: Schema.String,
  sentAt: Schema.Number,
  params: ImageGenerateParams.Json
})

export type Kept = typeof Kept.Type

const codec = Schema.fromJsonString(Kept)
const encode = Schema.encodeOption(codec)
const decode = Schema.decodeUnknownOption(codec)

const prefix = "@effect-gradient/browser/pending/"

/**
 * The page's `sessionStorage`, if any. Workers have none, and reading the property throws if the user denies storage.
 */
const sessionStorageOf = (): Storage | undefined => {
  try {
    return globalThis.sessionStorage
  } catch {
    return undefined
  }
}

export class PendingStorage {
  readonly #storage: Storage | undefined
  readonly #url: string

  constructor(storage: Storage | false | undefined, url: string) {
    this.#storage = storage === undefined ? sessionStorageOf() : storage || undefined
    this.#url = url
  }

  /**
   * Keeps a request. If the storage is full, the request is sent all the same, but the next page cannot find it after a
   * reload.
   */
  add(request: Omit<Kept, "url">): void {
    const text = encode({ ...request, url: this.#url })
    try {
      if (Option.isSome(text)) this.#storage?.setItem(prefix + request.id, text.value)
    } catch {
      this.remove(request.id)
    }
  }

  remove(id: string): void {
    this.#storage?.removeItem(prefix + id)
  }

  /** The kept requests that were sent to this URL, the oldest first. */
  list(): ReadonlyArray<Kept> {
    const storage = this.#storage
    if (storage === undefined) return []
    return Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "")
      .filter((key) => key.startsWith(prefix))
      .flatMap((key) => Option.toArray(decode(storage.getItem(key))))
      .filter(({ url }) => url === this.#url)
      .toSorted((one, other) => one.sentAt - other.sentAt)
  }
}
