/**
 * Environment variables for the options of a client. Each value has the name of its variable, for messages.
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Options } from "./options.ts"

/** An environment variable with its trimmed value. */
export interface Variable {
  /** For example `GRADIENT_BASE_URL`. */
  readonly name: string
  readonly value: string
}

/** The variables to use. A variable is undefined if its option is set. */
export interface Environment {
  readonly key?: Variable | undefined
  readonly baseUrl?: Variable | undefined
  readonly model?: Variable | undefined
}

const variable = (name: string): Config.Config<Option.Option<Variable>> =>
  Config.option(Config.Redacted(name)).pipe(
    Config.map(Option.map((value) => ({ name, value: Redacted.value(value).trim() }))),
    Config.map(Option.filter(({ value }) => value !== ""))
  )

const missingKey = () =>
  new ConfigProvider.SourceError({
    message:
      "No key: set GRADIENT_MODEL_ACCESS_KEY to a model access key, or DIGITALOCEAN_ACCESS_TOKEN to a personal access token. " +
      "Create one at cloud.digitalocean.com, under Serverless Inference or under API."
  })

/** The base URL of a host. A scheme, slashes at the end and `/v1` are removed first, because users paste them too. */
const fromHost = ({ name, value }: Variable): Variable => {
  const host = value.replace(/^https?:\/\//i, "").replace(/\/+$/, "")
  return { name, value: `https://${host.replace(/\/v1$/, "")}/v1` }
}

// The Configs are marked as pure, so that a bundle that does not read the environment leaves them out.

/** `GRADIENT_MODEL_ACCESS_KEY`, else `DIGITALOCEAN_ACCESS_TOKEN`. Fails if neither is set. */
export const keyVariable: Config.Config<Variable> = /* @__PURE__ */ (() =>
  Config.all([variable("GRADIENT_MODEL_ACCESS_KEY"), variable("DIGITALOCEAN_ACCESS_TOKEN")]).pipe(
    Config.flatMap(([modelAccessKey, accessToken]) =>
      Option.match(
        Option.orElse(modelAccessKey, () => accessToken),
        { onNone: () => Config.fail(missingKey()), onSome: (key) => Config.succeed(key) }
      )
    )
  ))()

/** `GRADIENT_BASE_URL`, else the URL of the host in `GRADIENT_INFERENCE_ENDPOINT`. */
export const baseUrlVariable: Config.Config<Variable | undefined> = /* @__PURE__ */ (() =>
  Config.all([variable("GRADIENT_BASE_URL"), variable("GRADIENT_INFERENCE_ENDPOINT")]).pipe(
    Config.map(([baseUrl, host]) => Option.getOrUndefined(Option.orElse(baseUrl, () => Option.map(host, fromHost))))
  ))()

/** `GRADIENT_IMAGE_MODEL`. */
export const modelVariable: Config.Config<Variable | undefined> = /* @__PURE__ */ (() =>
  Config.map(variable("GRADIENT_IMAGE_MODEL"), Option.getOrUndefined))()

const unused: Config.Config<undefined> = /* @__PURE__ */ (() => Config.succeed(undefined))()

/** The variables for options that are not set. */
export const environmentFor = ({ accessToken, baseUrl, model, modelAccessKey }: Options): Config.Config<Environment> =>
  Config.all({
    key: modelAccessKey === undefined && accessToken === undefined ? keyVariable : unused,
    baseUrl: baseUrl === undefined ? baseUrlVariable : unused,
    model: model === undefined ? modelVariable : unused
  })
