/**
 * Chooses what generates the images: the service that flags and environment variables name, or an emulator within this
 * process.
 */
import * as GradientClient from "@effect-gradient/core/GradientClient"
import * as GradientConfig from "@effect-gradient/core/GradientConfig"
import * as ImageGenerateParams from "@effect-gradient/core/ImageGenerateParams"
import * as Images from "@effect-gradient/core/Images"
import { NodeImages } from "@effect-gradient/node"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { hasCollector, observed } from "./telemetry/environment.ts"

/** The flags that choose between the service and the emulator. */
export interface Wanted {
  readonly baseUrl: string | undefined
  /** Use the emulator even if a key is set. */
  readonly emulate: boolean
}

/** The emulator within this process. It is loaded only if it is used, because its image encoder takes long to load. */
const emulator = Images.layer.pipe(
  Layer.provideMerge(
    GradientClient.layerFromConfig({
      modelAccessKey: Redacted.make("any"),
      baseUrl: GradientConfig.defaultBaseUrl
    })
  ),
  Layer.provide(
    Layer.unwrap(
      Effect.map(
        Effect.promise(() => import("@effect-gradient/emulator")),
        ({ Emulator }) => Emulator.layerHttpClient()
      )
    )
  )
)

/**
 * Chooses the emulator in this process if `--emulate` is set, or if no key is set and the base URL is the default. In
 * the second case it prints a note.
 */
export const choose = Effect.fnUntraced(function* (wanted: Wanted) {
  const hasKey = Option.isSome(yield* Effect.option(GradientConfig.keyConfig))
  const baseUrl = wanted.baseUrl ?? (yield* GradientConfig.baseUrlConfig)
  const inProcess = wanted.emulate || (!hasKey && baseUrl === GradientConfig.defaultBaseUrl)
  if (inProcess && !wanted.emulate) {
    yield* Console.error(
      "No key is set, so the emulator is used. Set GRADIENT_MODEL_ACCESS_KEY to use the real service."
    )
  }
  let emulated = inProcess
  /** Notices replies of an emulator on a port, which marks its replies with the header `x-emulated`. */
  const transformClient = HttpClient.tap((response) =>
    Effect.sync(() => {
      if (response.headers["x-emulated"] !== undefined) emulated = true
    })
  )
  const model = yield* GradientConfig.modelConfig
  const images = inProcess
    ? emulator
    : hasKey
      ? NodeImages.layerFromConfig({ baseUrl: wanted.baseUrl, transformClient })
      : Images.layer.pipe(
          // `layerFromConfig` would fail, because there is no key.
          Layer.provideMerge(GradientClient.layer({ baseUrl, model, transformClient })),
          Layer.provide(NodeImages.layerHttpClientFromConfig())
        )
  const isObserved = yield* hasCollector
  return {
    images: isObserved ? observed(images) : images,
    model: model ?? ImageGenerateParams.defaultModel,
    isEmulated: () => emulated
  }
})
