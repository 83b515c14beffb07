/**
 * Reads the size in pixels from the header of a PNG, WebP or JPEG image.
 */
import { mediaTypeOf } from "./media.ts"

/** The width and height of an image in pixels. */
export interface ImageSize {
  readonly width: number
  readonly height: number
}

/**
 * Whether a JPEG segment is a frame header, which contains the image's size. 0xC4, 0xC8 and 0xCC are other segments.
 */
const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)

const jpegSize = (view: DataView): ImageSize | undefined => {
  // Each segment is 0xFF, its marker, its length in two bytes, and its content. The length includes its own two bytes.
  for (let at = 2; at + 9 <= view.byteLength && view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
    if (isFrame(view.getUint8(at + 1))) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) }
  }
  return undefined
}

const webpSize = (view: DataView): ImageSize | undefined => {
  if (view.byteLength < 30) return undefined
  const uint24 = (at: number) => view.getUint16(at, true) + view.getUint8(at + 2) * 0x1_00_00
  switch (view.getUint8(15)) {
    case 0x58: // "VP8X", the extended format
      return { width: uint24(24) + 1, height: uint24(27) + 1 }
    case 0x4c: {
      // "VP8L", the lossless format: width - 1 and height - 1, as numbers of 14 bits
      const bits = view.getUint32(21, true)
      return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 }
    }
    default: // "VP8 ", lossy
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }
  }
}

/** The size of an image in pixels; `undefined` if it cannot be read, for example because the format is unknown. */
export const imageSizeOf = (bytes: Uint8Array): ImageSize | undefined => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (mediaTypeOf(bytes, undefined)) {
    case "image/png":
      return bytes.length < 24 ? undefined : { width: view.getUint32(16), height: view.getUint32(20) }
    case "image/jpeg":
      return jpegSize(view)
    case "image/webp":
      return webpSize(view)
    default:
      return undefined
  }
}
