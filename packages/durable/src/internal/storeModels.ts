/** The models of `ImageStore`. They have their own file, so that the modules of its layers can import them. */
import type { GeneratedImage, GradientError, ImageGenerateResponse } from "@effect-gradient/core"
import * as Data from "effect/Data"

/**
 * A file in a store.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly path: string
  /** The size of the file in bytes. */
  readonly size: number
}

/**
 * An operation on a store failed, for example because the store is full, cannot be reached, refused the operation, or
 * has lost a file.
 *
 * @category errors
 * @since 0.1.0
 */
export class StoreFailure extends Data.TaggedError("StoreFailure")<{
  readonly message: string
  readonly cause: unknown
}> {}

/**
 * A generation in the store.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stored {
  /** The response with its metadata. Its images have no bytes. */
  readonly outline: ImageGenerateResponse.ImageGenerateResponse
  /** Reads the bytes of each image of the response on demand. */
  readonly images: ReadonlyArray<GeneratedImage.ImageSource<GradientError.GradientError>>
}
