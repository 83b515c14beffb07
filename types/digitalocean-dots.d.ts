/**
 * What we use of `@digitalocean/dots/inference`. The package has TypeScript sources in place of declarations, and they
 * do not compile under this repository's options; `paths` in tsconfig.json leads here instead.
 */
export interface Image {
  readonly b64_json?: string
}

interface Params {
  readonly model: string
  readonly prompt: string
  readonly n?: number
  readonly quality?: string
  readonly size?: string
}

/** The SDK itself types params and replies as `Record<string, any>`. */
export declare class Client {
  constructor(options: { readonly apiKey: string; readonly baseURL?: string })
  readonly images: {
    generate(
      params: Params & { readonly stream: true; readonly partial_images?: number }
    ): Promise<AsyncIterable<Image & { readonly type: string }>>
    generate(params: Params): Promise<{ readonly data: ReadonlyArray<Image> }>
  }
  readonly models: { list(): Promise<{ readonly data: ReadonlyArray<{ readonly id: string }> }> }
}
