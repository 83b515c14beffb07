import { describe, expect, it } from "@effect/vitest"
import type * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { GradientConfig } from "../src/index.ts"
import { environmentFor } from "../src/internal/request/environment.ts"
import { resolveOptions } from "../src/internal/request/resolveOptions.ts"

const read = <A>(config: Config.Config<A>, env: Record<string, string>) =>
  config.pipe(Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env })))

describe("GradientConfig", () => {
  it.effect.each([
    "inference.test",
    " inference.test ",
    "inference.test/",
    "https://inference.test",
    "HTTPS://inference.test//",
    "http://inference.test",
    "inference.test/v1",
    "https://inference.test/v1/"
  ])("GRADIENT_INFERENCE_ENDPOINT may be %j", (host) =>
    Effect.gen(function* () {
      const baseUrl = yield* read(GradientConfig.baseUrlConfig, { GRADIENT_INFERENCE_ENDPOINT: host })
      expect(baseUrl).toBe("https://inference.test/v1")
    })
  )

  it.effect("GRADIENT_BASE_URL overrides the host, and a blank variable counts as absent", () =>
    Effect.gen(function* () {
      const host = { GRADIENT_INFERENCE_ENDPOINT: "inference.test" }
      expect(yield* read(GradientConfig.baseUrlConfig, { GRADIENT_BASE_URL: "http://a/v2", ...host })).toBe(
        "http://a/v2"
      )
      expect(yield* read(GradientConfig.baseUrlConfig, { GRADIENT_BASE_URL: " ", ...host })).toBe(
        "https://inference.test/v1"
      )
      expect(yield* read(GradientConfig.baseUrlConfig, {})).toBe(GradientConfig.defaultBaseUrl)
    })
  )

  it.effect("the model is GRADIENT_IMAGE_MODEL, if it is set", () =>
    Effect.gen(function* () {
      expect(yield* read(GradientConfig.modelConfig, { GRADIENT_IMAGE_MODEL: " mine " })).toBe("mine")
      expect(yield* read(GradientConfig.modelConfig, { GRADIENT_IMAGE_MODEL: " " })).toBeUndefined()
      expect(yield* read(GradientConfig.modelConfig, {})).toBeUndefined()
    })
  )

  it.effect("the environment is used only for options that are not set", () =>
    Effect.gen(function* () {
      const env = {
        DIGITALOCEAN_ACCESS_TOKEN: " dop_v1_x ",
        GRADIENT_BASE_URL: "http://a",
        GRADIENT_IMAGE_MODEL: "mine"
      }
      expect(yield* read(environmentFor({}), env)).toEqual({
        key: { name: "DIGITALOCEAN_ACCESS_TOKEN", value: "dop_v1_x" },
        baseUrl: { name: "GRADIENT_BASE_URL", value: "http://a" },
        model: { name: "GRADIENT_IMAGE_MODEL", value: "mine" }
      })
      const given = { accessToken: Redacted.make("t"), baseUrl: "http://b", model: "other" }
      expect(yield* read(environmentFor(given), {})).toEqual({ key: undefined, baseUrl: undefined, model: undefined })
    })
  )

  it.effect("refuses an invalid value and names its variable", () =>
    Effect.gen(function* () {
      const env = {
        GRADIENT_MODEL_ACCESS_KEY: "Bearer sk-do-hidden",
        GRADIENT_INFERENCE_ENDPOINT: "https://inference.test/v1#x"
      }
      const error = yield* Effect.flip(Effect.fromResult(resolveOptions({}, yield* read(environmentFor({}), env))))
      expect(error.issues.map(({ param }) => param)).toEqual([
        "GRADIENT_MODEL_ACCESS_KEY",
        "GRADIENT_INFERENCE_ENDPOINT"
      ])
      expect(error.message).not.toContain("hidden")
    })
  )
})
