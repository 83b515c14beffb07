/**
 * Reads the key, the base URL and the model of a client from environment variables. Each value has the name of its
 * variable, for use in messages.
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Options } from "./options.ts"

/** A value from an environment variable, without white space around it. */
export interface Variable {
  /** The name of the variable, such as `GRADIENT_BASE_URL`. */
  readonly name: string
  readonly value: string
}

/**
 * The environment variables to use. A variable is undefined if it is not set, if it is blank, or if the client's
 * options already give the value.
 */
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
      "Create a model access key at cloud.digitalocean.com under Serverless Inference, or a personal access token under API."
  })

/**
 * Makes a base URL from a host. A scheme, slashes at the end and `/v1` are removed first, because some users paste them
 * with the host.
 */
const fromHost = ({ name, value }: Variable): Variable => {
  const host = value.replace(/^https?:\/\//i, "").replace(/\/+$/, "")
  return { name, value: `https://${host.replace(/\/v1$/, "")}/v1` }
}

// The Configs below are marked as pure, so that a bundler can leave them out of a program that does not read the
// environment.

/** Reads `GRADIENT_MODEL_ACCESS_KEY`, else `DIGITALOCEAN_ACCESS_TOKEN`. Fails if both are absent or blank. */
export const keyVariable: Config.Config<Variable> = /* @__PURE__ */ (() =>
  Config.all([variable("GRADIENT_MODEL_ACCESS_KEY"), variable("DIGITALOCEAN_ACCESS_TOKEN")]).pipe(
    Config.flatMap(([modelAccessKey, accessToken]) =>
      Option.match(
        Option.orElse(modelAccessKey, () => accessToken),
        { onNone: () => Config.fail(missingKey()), onSome: (key) => Config.succeed(key) }
      )
    )
  ))()

/** Reads `GRADIENT_BASE_URL`, else makes the URL from the host in `GRADIENT_INFERENCE_ENDPOINT`. */
export const baseUrlVariable: Config.Config<Variable | undefined> = /* @__PURE__ */ (() =>
  Config.all([variable("GRADIENT_BASE_URL"), variable("GRADIENT_INFERENCE_ENDPOINT")]).pipe(
    Config.map(([baseUrl, host]) => Option.getOrUndefined(Option.orElse(baseUrl, () => Option.map(host, fromHost))))
  ))()

export const modelVariable: Config.Config<Variable | undefined> = /* @__PURE__ */ (() =>
  Config.map(variable("GRADIENT_IMAGE_MODEL"), Option.getOrUndefined))()

const unused: Config.Config<undefined> = /* @__PURE__ */ (() => Config.succeed(undefined))()

/** Reads the environment variables for the options that are not set. Fails if that leaves the client without a key. */
export const environmentFor = ({ accessToken, baseUrl, model, modelAccessKey }: Options): Config.Config<Environment> =>
  Config.all({
    key: modelAccessKey === undefined && accessToken === undefined ? keyVariable : unused,
    baseUrl: baseUrl === undefined ? baseUrlVariable : unused,
    model: model === undefined ? modelVariable : unused
  })
