/**
 * Who draws: the service that the flags and the environment name, or the emulator in process.
 */
import { GradientClient, GradientConfig, ImageGenerateParams, Images } from "@effect-gradient/core"
import { Emulator } from "@effect-gradient/emulator"
import { NodeImages } from "@effect-gradient/node"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/** What the flags say about it. */
export interface Wanted {
  readonly baseUrl: string | undefined
  /** The emulator, whatever the environment has. */
  readonly emulate: boolean
}

/** The emulator in process where there is neither a key nor an endpoint, which is said. */
export const choose = Effect.fnUntraced(function* (wanted: Wanted) {
  const baseUrl = wanted.baseUrl ?? (yield* GradientConfig.baseUrlConfig)
  const modelAccessKey = Option.getOrUndefined(yield* Effect.option(GradientConfig.keyConfig))
  const isKeyless = modelAccessKey === undefined && baseUrl === GradientConfig.defaultBaseUrl
  if (isKeyless) {
    yield* Console.error("No key: the emulator draws. Set GRADIENT_MODEL_ACCESS_KEY for the real service.")
  }
  const inProcess = wanted.emulate || isKeyless
  let emulated = inProcess
  /** An emulator on a port says what it is in each reply. */
  const transformClient = HttpClient.tap((response) =>
    Effect.sync(() => {
      if (response.headers["x-emulated"] !== undefined) emulated = true
    })
  )
  const model = yield* GradientConfig.modelConfig
  const images = inProcess
    ? Images.layer.pipe(
        Layer.provideMerge(
          GradientClient.layerFromConfig({
            modelAccessKey: Redacted.make("any"),
            baseUrl: GradientConfig.defaultBaseUrl
          })
        ),
        Layer.provide(Emulator.layerHttpClient())
      )
    : modelAccessKey === undefined // Without a key `layerFromConfig` would fail.
      ? Images.layer.pipe(
          Layer.provideMerge(GradientClient.layer({ baseUrl, model, transformClient })),
          Layer.provide(NodeImages.layerHttpClientFromConfig())
        )
      : NodeImages.layerFromConfig({ baseUrl: wanted.baseUrl, transformClient })
  return { images, model: model ?? ImageGenerateParams.defaultModel, isEmulated: () => emulated }
})
