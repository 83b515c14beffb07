/**
 * The type of the function `make`, which the file of each contestant in `contestants/` exports. It makes the
 * contestant's client.
 */

/**
 * A client of one endpoint. Each function returns the total size in bytes of the images, or of the whole body if the
 * client does not decode images. `client.ts` checks that it is large enough.
 */
export interface Client {
  /** Requests a stream and reads it. */
  readonly stream: () => Promise<number>
  /** Requests a JSON body and reads it. */
  readonly generate: () => Promise<number>
}

export interface Endpoint {
  /** The URL before `/images/generations`. */
  readonly baseUrl: string
  /** The number of images that a client should request, partial images included. */
  readonly images: number
  /** The timeout in milliseconds, for clients that have one. If it is absent, the client's default applies. */
  readonly timeoutMillis?: number
}

export type MakeClient = (endpoint: Endpoint) => Client
