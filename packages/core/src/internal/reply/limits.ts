/**
 * The most bytes of each part of a successful reply. If a part is larger, the call fails with `InvalidResponseError`.
 * If an image or the JSON of an event with an unknown name is larger, the event is skipped instead, unless one of its
 * lines continues for more than twice `imageBytes` after that.
 */
export interface Limits {
  /** The most bytes of one image. Default: 64 MiB. For comparison, an uncompressed 4K image (RGBA) has 33 MB. */
  readonly imageBytes: number
  /**
   * The most bytes of the JSON of a reply, or of one event, without its images. Also the most bytes of white space
   * before a reply. Default: 1 MiB. A call for images always accepts 1 KiB of JSON.
   */
  readonly jsonBytes: number
  /** The most bytes of a line of an event stream that carries no data, such as a comment. Default: 64 KiB. */
  readonly lineBytes: number
}

export const defaultLimits: Limits = { imageBytes: 64 * 1024 * 1024, jsonBytes: 1024 * 1024, lineBytes: 64 * 1024 }
