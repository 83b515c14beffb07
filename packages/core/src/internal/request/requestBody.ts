import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as ImageGenerateParams from "../../ImageGenerateParams.ts"
import { resolveCall } from "./resolveCall.ts"
import { resolveOptions } from "./resolveOptions.ts"

export interface RequestBody {
  /** The body's text, the same on each attempt. */
  readonly json: string
  /** How many images are to come. */
  readonly n: number
}

/** The body of a call of a client without options. To be replaced by `resolveCall`, which gives it with all else. */
export const requestBody = (
  params: ImageGenerateParams.ImageGenerateParams,
  stream: boolean,
  extraBody: Readonly<Record<string, unknown>> = {}
) =>
  Effect.fromResult(
    Result.flatMap(resolveOptions({}), (client) =>
      resolveCall(client, params, stream ? "stream" : "generate", { extraBody })
    )
  )
