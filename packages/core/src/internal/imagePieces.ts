/**
 * Encodes a text with images in base64, such as JSON, piece by piece. This needs neither an image nor its base64 in
 * memory as a whole.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { EncodedPieces, ImageSource } from "../GeneratedImage.ts"
import * as Utf8 from "./utf8.ts"

/**
 * The number of an image's bytes in one piece: a multiple of 3, so that only the last piece of an image has padding.
 * The base64 of a full piece is 256 KiB long.
 */
const pieceBytes = 192 * 1024

export const emptyBytes = new Uint8Array()

/** An `ImageSource` that reads from memory. */
export const sourceOf = (bytes: Uint8Array): ImageSource => ({
  size: bytes.length,
  read: (start, length) => Effect.succeed(bytes.subarray(start, start + length))
})

const emptyImage = '"b64_json":""'

/**
 * Splits a JSON text between the last two quotation marks of each `"b64_json":""`, where the base64 of an image goes.
 * The text is not split within a string, because the quotation marks there are escaped.
 */
export const splitAtImages = (json: string): ReadonlyArray<string> =>
  json
    .split(emptyImage)
    .map((text, index, { length }) => (index > 0 ? '"' : "") + text + (index < length - 1 ? '"b64_json":"' : ""))

/**
 * The encoded pieces by their number. A piece is kept while any reader holds it, so readers at the same position share
 * one piece.
 */
export type SharedPieces = Array<WeakRef<Uint8Array>>

/** Encodes the texts in UTF-8, with the base64 of one image between each text and the next. */
export const aroundImages = <E>(
  texts: ReadonlyArray<string>,
  images: ReadonlyArray<ImageSource<E>>,
  shared: SharedPieces = []
): EncodedPieces<E> => {
  const textBytes = texts.reduce((sum, text) => sum + Utf8.lengthOf(text), 0)
  const length = images.reduce((sum, { size }) => sum + Math.ceil(size / 3) * 4, textBytes)
  return { length, bytes: Stream.fromPull(Effect.sync(() => pullAround(texts, images, shared))) }
}

const pullAround = <E>(
  texts: ReadonlyArray<string>,
  images: ReadonlyArray<ImageSource<E>>,
  shared: SharedPieces
): Pull.Pull<Arr.NonEmptyReadonlyArray<Uint8Array>, E> => {
  let piece = 0
  let index = 0
  let start = 0
  /** Encodes the next piece, or takes it from another reader that still holds it. */
  const encode = (image: ImageSource<E>, length: number, isEnd: boolean) => {
    const known = shared[piece]?.deref()
    if (known !== undefined) return Effect.succeed(known)
    const head = start === 0 ? (texts[index] ?? "") : ""
    const tail = isEnd && index === images.length - 1 ? (texts[images.length] ?? "") : ""
    return Effect.map(image.read(start, length), (bytes) => Utf8.aroundBase64(head, bytes, tail))
  }
  return Effect.suspend((): Pull.Pull<Arr.NonEmptyReadonlyArray<Uint8Array>, E> => {
    const image = images[index]
    if (image === undefined) return Cause.done()
    const length = Math.min(pieceBytes, image.size - start)
    const isEnd = start + length >= image.size
    return Effect.map(encode(image, length, isEnd), (encoded): Arr.NonEmptyReadonlyArray<Uint8Array> => {
      if (shared[piece]?.deref() !== encoded) shared[piece] = new WeakRef(encoded)
      piece++
      index += isEnd ? 1 : 0
      start = isEnd ? 0 : start + length
      return [encoded]
    })
  })
}
