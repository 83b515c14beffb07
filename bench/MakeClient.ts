/**
 * The client of a contestant: what each file in `contestants/` makes.
 */

/** A client of one endpoint. Each function returns the total size of the images, so that a missing image is noticed. */
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
  /** The client's timeout, if it has one and its default is not used. */
  readonly timeoutMillis?: number
}

export type MakeClient = (endpoint: Endpoint) => Client
