/**
 * The type of what each file in `contestants/` exports: a function that makes the client of a contestant.
 */

/**
 * A client of one endpoint. Each function returns the total size of the images in bytes, so that a missing image is noticed.
 */
export interface Client {
  /** Reads the events of a stream, and drops each image. */
  readonly stream: () => Promise<number>
  /** Reads a JSON body. */
  readonly generate: () => Promise<number>
}

export interface Endpoint {
  /** The URL before `/images/generations`. */
  readonly baseUrl: string
  /** The number of images per request. */
  readonly images: number
  /** The client's timeout in milliseconds. If it is absent, the client's default applies. */
  readonly timeoutMillis?: number
}

export type MakeClient = (endpoint: Endpoint) => Client
