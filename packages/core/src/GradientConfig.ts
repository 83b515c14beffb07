/**
 * Configs for the options that can be read from environment variables: key, base URL and model. Because they are
 * `Config`s, any other `ConfigProvider` can supply them too.
 */
import * as Config from "effect/Config"
import * as Redacted from "effect/Redacted"
import * as Variables from "./internal/request/environment.ts"

/**
 * The base URL of DigitalOcean's service, used if no other is set.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultBaseUrl = "https://inference.do-ai.run/v1"

// The Configs are marked as pure, so that a bundler can leave them out of a program that does not use them.

/**
 * Reads the key from `GRADIENT_MODEL_ACCESS_KEY`, else from `DIGITALOCEAN_ACCESS_TOKEN`. Fails if both are absent or
 * blank.
 *
 * @category configs
 * @since 0.1.0
 */
export const keyConfig: Config.Config<Redacted.Redacted> = /* @__PURE__ */ (() =>
  Config.map(Variables.keyVariable, ({ value }) => Redacted.make(value)))()

/**
 * Reads the base URL from `GRADIENT_BASE_URL`, else makes it from the host in `GRADIENT_INFERENCE_ENDPOINT`. If both
 * are absent or blank, returns `defaultBaseUrl`.
 *
 * @category configs
 * @since 0.1.0
 */
export const baseUrlConfig: Config.Config<string> = /* @__PURE__ */ (() =>
  Config.map(Variables.baseUrlVariable, (variable) => variable?.value ?? defaultBaseUrl))()

/**
 * Reads the model from `GRADIENT_IMAGE_MODEL`. Returns `undefined` if it is absent or blank.
 *
 * @category configs
 * @since 0.1.0
 */
export const modelConfig: Config.Config<string | undefined> = /* @__PURE__ */ (() =>
  Config.map(Variables.modelVariable, (variable) => variable?.value))()
