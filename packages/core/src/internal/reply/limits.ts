/**
 * What a reply may make us hold. Beyond a limit the call fails with `InvalidResponseError`, at once.
 */
export interface Limits {
  /** Bytes of one image. Default: 64 MiB; a 4K image without any compression has 33 MB. */
  readonly imageBytes: number
  /** Bytes of the JSON around the images, of a reply or of one event. Default: 1 MiB. */
  readonly jsonBytes: number
  /** Bytes of one line of an event stream that is not data: a comment, a name. Default: 64 KiB. */
  readonly lineBytes: number
}

export const defaultLimits: Limits = { imageBytes: 64 * 1024 * 1024, jsonBytes: 1024 * 1024, lineBytes: 64 * 1024 }
