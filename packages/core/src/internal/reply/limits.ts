/** Upper bounds on memory used for one reply. If one is exceeded, the call fails with `InvalidResponseError` at once. */
export interface Limits {
  /** Bytes of one image. Default: 64 MiB; an uncompressed 4K image has 33 MB. */
  readonly imageBytes: number
  /** Bytes of the JSON of a reply, or of one event, without its images. Default: 1 MiB. */
  readonly jsonBytes: number
  /** Bytes of one line of an event stream that is not data, such as a comment. Default: 64 KiB. */
  readonly lineBytes: number
}

export const defaultLimits: Limits = { imageBytes: 64 * 1024 * 1024, jsonBytes: 1024 * 1024, lineBytes: 64 * 1024 }
