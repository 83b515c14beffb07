/**
 * Declarations of the parts of `@digitalocean/dots/inference` that this repository uses. The package has TypeScript sources
 * in place of declarations, and they do not compile with this repository's options. So `paths` in tsconfig.json leads to
 * this file.
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

/** The client of the SDK. The SDK itself types params and replies only as `Record<string, any>`. */
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
