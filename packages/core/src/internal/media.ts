/** Detects the format of an image, describes an image for printing, and makes a `Blob` of it. */
const ascii = (bytes: Uint8Array, start: number, text: string): boolean => {
  for (let i = 0; i < text.length; i++) {
    if (bytes[start + i] !== text.charCodeAt(i)) return false
  }
  return true
}

const sniff = (bytes: Uint8Array): string | undefined => {
  if (ascii(bytes, 0, "\x89PNG\r\n\x1a\n")) return "image/png"
  if (ascii(bytes, 0, "\xff\xd8\xff")) return "image/jpeg"
  if (ascii(bytes, 0, "RIFF") && ascii(bytes, 8, "WEBP")) return "image/webp"
  return undefined
}

/**
 * The media type of an image. If its first bytes are not those of a PNG, WebP or JPEG, it is taken from `outputFormat`.
 * If that is not `png`, `webp` or `jpeg`, it is `application/octet-stream`.
 */
export const mediaTypeOf = (bytes: Uint8Array, outputFormat: string | undefined): string => {
  const seen = sniff(bytes)
  if (seen !== undefined) return seen
  switch (outputFormat) {
    case "png":
    case "webp":
    case "jpeg":
      return `image/${outputFormat}`
    default:
      return "application/octet-stream"
  }
}

/** The text that is printed in place of an image's bytes. */
export const describeBytes = (bytes: Uint8Array, mediaType: string): string => `${mediaType}, ${bytes.length} bytes`

/** The type of the platform's `Blob`; `never` if the program is compiled without a type for it. */
export type PlatformBlob = typeof globalThis extends { readonly Blob: { readonly prototype: infer B } } ? B : never

interface HasBlob {
  readonly Blob: new (parts: ReadonlyArray<Uint8Array>, options: { readonly type: string }) => PlatformBlob
}

const hasBlob = (platform: object): platform is HasBlob => "Blob" in platform && typeof platform.Blob === "function"

/** Creates a `Blob` of this media type from the bytes. `undefined` if the platform has no `Blob`. */
export const makeBlob = (bytes: Uint8Array, type: string): PlatformBlob | undefined => {
  const platform: object = globalThis
  return hasBlob(platform) ? new platform.Blob([bytes], { type }) : undefined
}
