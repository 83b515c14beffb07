/** Text as UTF-8 bytes. */
import { allocate, writeBase64 } from "./base64.ts"

// Declared here, not imported, because core is compiled without the types of any platform.
declare const TextEncoder: new () => { encode(text: string): Uint8Array }

/**
 * The number of an image's bytes that are encoded at once: a multiple of 3, so that only the last part has padding. A
 * base64 string of a whole image would take more memory than the image.
 */
const partBytes = 48 * 1024

/** The number of bytes of a text in UTF-8. */
export const lengthOf = (text: string): number => new TextEncoder().encode(text).length

/** Joins the bytes of `head`, the base64 of `image`, and the bytes of `tail`. */
export const aroundBase64 = (head: string, image: Uint8Array, tail: string): Uint8Array => {
  const encoder = new TextEncoder()
  const [first, last] = [encoder.encode(head), encoder.encode(tail)]
  const bytes = allocate(first.length + Math.ceil(image.length / 3) * 4 + last.length)
  bytes.set(first)
  let at = first.length
  for (let from = 0; from < image.length; from += partBytes) {
    at += writeBase64(image.subarray(from, from + partBytes), bytes, at)
  }
  bytes.set(last, at)
  return bytes
}
