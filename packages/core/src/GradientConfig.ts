/**
 * Options from the environment: key, base URL and model. Each is a `Config`, so any `ConfigProvider` can supply it.
 */
import * as Config from "effect/Config"
import * as Redacted from "effect/Redacted"
import * as Variables from "./internal/request/environment.ts"

/**
 * The service's own base URL, used if no other is set.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultBaseUrl = "https://inference.do-ai.run/v1"

// The Configs are marked as pure, so that a bundle that does not read the environment leaves them out.

/**
 * The key: `GRADIENT_MODEL_ACCESS_KEY`, else `DIGITALOCEAN_ACCESS_TOKEN`.
 *
 * @category configs
 * @since 0.1.0
 */
export const keyConfig: Config.Config<Redacted.Redacted> = /* @__PURE__ */ (() =>
  Config.map(Variables.keyVariable, ({ value }) => Redacted.make(value)))()

/**
 * The base URL: `GRADIENT_BASE_URL`, else the host in `GRADIENT_INFERENCE_ENDPOINT`, else the service's own.
 *
 * @category configs
 * @since 0.1.0
 */
export const baseUrlConfig: Config.Config<string> = /* @__PURE__ */ (() =>
  Config.map(Variables.baseUrlVariable, (variable) => variable?.value ?? defaultBaseUrl))()

/**
 * The model: `GRADIENT_IMAGE_MODEL`. `undefined` if it is not set.
 *
 * @category configs
 * @since 0.1.0
 */
export const modelConfig: Config.Config<string | undefined> = /* @__PURE__ */ (() =>
  Config.map(Variables.modelVariable, (variable) => variable?.value))()
