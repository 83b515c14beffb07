import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { inspect } from "node:util"
import { RetryPolicy } from "../../src/index.ts"
import type { Environment } from "../../src/internal/request/environment.ts"
import type { Options } from "../../src/internal/request/options.ts"
import { resolveOptions } from "../../src/internal/request/resolveOptions.ts"

const resolved = (options: Options, environment?: Environment) =>
  Result.getOrThrow(resolveOptions(options, environment))

const refused = (options: object, environment?: Environment) =>
  Result.getOrThrow(Result.flip(resolveOptions(options, environment)))

const messages = (options: object, environment?: Environment) => refused(options, environment).description

const urlOf = (baseUrl: string) => resolved({ baseUrl }).toUrl("/images/generations")

describe("resolveOptions", () => {
  describe("without options", () => {
    it("has the defaults", () => {
      const { deadline, headers, idleTimeout, model, retry, timeout, toUrl } = resolved({})
      expect([timeout, idleTimeout, deadline].map(Duration.toMinutes)).toEqual([10, 5, 30])
      expect(retry).toBe(RetryPolicy.chargeSafe)
      expect(model).toEqual({ name: "openai-gpt-image-2", from: "default" })
      expect(headers).toEqual({ accept: "application/json, text/event-stream" })
      expect(toUrl("/models")).toBe("https://inference.do-ai.run/v1/models")
    })
  })

  describe("baseUrl", () => {
    it.each([
      ["https://host/v1", "https://host/v1/images/generations"],
      [" https://host/v1/ \n", "https://host/v1/images/generations"],
      ["https://host/v1//", "https://host/v1/images/generations"],
      ["https://host/v1?api-version=1", "https://host/v1/images/generations?api-version=1"],
      [
        "https://host/v1/?a=b&next=/images/generations",
        "https://host/v1/images/generations?a=b&next=/images/generations"
      ]
    ])("%j is trimmed, and its query goes behind the path", (given, url) => {
      expect(urlOf(given)).toBe(url)
    })

    it.each([
      ["https://https://host/v1", "a URL with https:// or http:// only once"],
      ["http://https://host/v1", "a URL with https:// or http:// only once"],
      ["https://host/v1#top", "a URL without a fragment"],
      ["https://host/v1/images/generations", "the address before /images/generations"],
      ["https://host/v1/images/generations/?a=b", "the address before /images/generations"],
      ["https://host/v1/images/edits", "the address before /images/edits"],
      ["https://host/v1/chat/completions", "the address before /chat/completions"],
      ["host/v1", "a URL of http or https"],
      ["ftp://host/v1", "a URL of http or https"],
      ["  ", "a URL of http or https"]
    ])("%j is refused by name, with the way out", (baseUrl, allowed) => {
      expect(messages({ baseUrl })).toContain(`baseUrl must be ${allowed}`)
    })

    it.each([
      ["otto:hidden-word@host/v1", "host/v1"],
      ["otto:p/hidden-word@host/v1", "host/v1"],
      ["otto:p?hidden-word@host/v1", "host/v1"],
      ["https://otto:hidden-word@host/v1#x", "https://host/v1#x"],
      ["https://otto:p#hidden-word@host/v1", "https://host/v1"],
      ["https://otto:p/hidden-word@host/v1", "https://host/v1"],
      ["https://http://otto:hidden-word@host/v1", "https://http://host/v1"],
      ["https:https:otto:hidden-word@host/v1", "https:https:host/v1"],
      ["ftp://otto:hidden-word@host/v1", "ftp://host/v1"],
      ["https://https://host/v1?api_key=hidden-word", "https://https://host/v1?api_key="]
    ])("%j is refused without its password or secret", (baseUrl, shown) => {
      expect(inspect(refused({ baseUrl }))).not.toContain("hidden-word")
      expect(messages({ baseUrl })).toContain(`got "${shown}`)
    })

    it("from the environment is refused with the name of its variable", () => {
      const environment = { baseUrl: { name: "GRADIENT_BASE_URL", value: "host" } }
      expect(messages({}, environment)).toContain("GRADIENT_BASE_URL must be a URL")
      expect(resolved({ baseUrl: "https://a" }, environment).toUrl("/x")).toBe("https://a/x")
    })
  })

  describe("the key", () => {
    const secret = "sk-do-hidden"
    const key = (value: string) => ({ modelAccessKey: Redacted.make(value) })

    it("is trimmed; the model access key overrides the token, and both override the environment", () => {
      const environment = { key: { name: "GRADIENT_MODEL_ACCESS_KEY", value: "sk-do-3" } }
      const accessToken = Redacted.make(" dop_v1_2\n")
      expect(resolved(key(` ${secret}\n`)).headers["authorization"]).toBe(`Bearer ${secret}`)
      expect(resolved({ ...key("sk-do-1"), accessToken }, environment).headers["authorization"]).toBe("Bearer sk-do-1")
      expect(resolved({ accessToken }, environment).headers["authorization"]).toBe("Bearer dop_v1_2")
      expect(resolved({}, environment).headers["authorization"]).toBe("Bearer sk-do-3")
    })

    it("may start with the letters of Bearer", () => {
      expect(resolved(key("bearer-of-news")).headers["authorization"]).toBe("Bearer bearer-of-news")
    })

    it.each([
      [`"${secret}"`, "quotes"],
      [`'${secret}'`, "quotes"],
      [`“${secret}”`, "quotes"],
      [`Bearer ${secret}`, "Bearer"],
      [`bearer\t${secret}`, "Bearer"],
      [`Authorization: Bearer ${secret}`, "several words"],
      [`${secret} ${secret}`, "several words"],
      [`${secret}\r\nx-other: 1`, "several words"],
      [`${secret}\0`, "other characters"],
      [`${secret}🦦`, "other characters"],
      ["", "white space"],
      ["  ", "white space"]
    ])("%j is refused by name, and not shown", (value, given) => {
      const error = refused(key(value))
      expect(error.issues.map(({ param }) => param)).toEqual(["modelAccessKey"])
      expect(error.message).toContain(given)
      expect(inspect(error, { depth: 50, showHidden: true })).not.toContain(secret)
      expect(messages({ accessToken: Redacted.make(value) })).toContain("accessToken")
      const name = "DIGITALOCEAN_ACCESS_TOKEN"
      expect(messages({}, { key: { name, value } })).toContain(`${name} must be`)
    })

    it("that is not Redacted is refused, and not shown", () => {
      const error = refused({ modelAccessKey: secret })
      expect(error.message).toContain("modelAccessKey must be made with Redacted.make (got a string)")
      expect(inspect(error, { depth: 50 })).not.toContain(secret)
    })
  })

  describe("model", () => {
    it("is the layer's, else the environment's, else the default", () => {
      const environment = { model: { name: "GRADIENT_IMAGE_MODEL", value: "from-environment" } }
      expect(resolved({ model: "from-layer" }, environment).model).toEqual({ name: "from-layer", from: "layer" })
      expect(resolved({}, environment).model).toEqual({ name: "from-environment", from: "environment" })
    })

    it("that is blank is refused", () => {
      expect(messages({ model: " " })).toContain("model must be the name of a model")
    })
  })

  describe("headers", () => {
    it("are added in lower case; null removes one, including those of the library", () => {
      const options = {
        modelAccessKey: Redacted.make("k"),
        headers: { "X-Team": "a", accept: null, Authorization: null }
      }
      expect(resolved(options).headers).toEqual({ "x-team": "a" })
    })

    it.each([
      [{ "x-one": "hidden-value\n" }, "headers.x-one must be made of characters that are allowed in a header"],
      [{ "x-one": "hidden-value🦦" }, "headers.x-one must be made of characters that are allowed in a header"],
      [{ "x one": "hidden-value" }, "headers.x one must be named with characters"],
      [{ "": "hidden-value" }, "headers. must be named with characters"],
      [{ "x-one": 5 }, "headers.x-one must be a string (got a number)"]
    ])("%j is refused by name, and its value is not shown", (headers, message) => {
      expect(messages({ headers })).toContain(message)
      expect(messages({ headers })).not.toContain("hidden-value")
    })
  })

  describe("durations", () => {
    it.each(["soon", 0, -1, Number.NaN, "0 seconds", null, {}, "10", true])("%j is refused", (value) => {
      for (const name of ["timeout", "idleTimeout", "deadline"]) {
        expect(messages({ [name]: value })).toContain(`${name} must be a duration above 0, such as "90 seconds" (got `)
      }
    })

    it("shows the refused value", () => {
      expect(messages({ timeout: "soon" })).toContain('(got "soon")')
      expect(messages({ timeout: Duration.zero })).toContain("(got 0)")
    })

    it("may be infinite", () => {
      expect(resolved({ timeout: "Infinity" }).timeout).toEqual(Duration.infinity)
    })
  })

  it.each([
    [{ retry: "twice" }, 'retry must be a RetryPolicy or a Schedule (got "twice")'],
    [{ retry: { while: true } }, "retry must be a RetryPolicy or a Schedule (got an object)"],
    [{ limits: 5 }, "limits must be an object (got a number)"],
    [{ propagateTrace: "x" }, "propagateTrace must be true or false (got a string)"],
    [{ limits: { imageBytes: -1 } }, "limits.imageBytes must be a whole number of bytes above 0 (got -1)"],
    [{ limits: { jsonBytes: "1" } }, 'limits.jsonBytes must be a whole number of bytes above 0 (got "1")'],
    [{ limits: { jsonBytes: 1500.5 } }, "limits.jsonBytes must be a whole number of bytes above 0 (got 1500.5)"],
    [{ transformClient: {} }, "transformClient must be a function (got an object)"]
  ])("%j is refused", (options, message) => {
    expect(messages(options)).toContain(message)
  })

  it("reports all problems at once", () => {
    const error = refused({
      baseUrl: "host",
      modelAccessKey: Redacted.make('"k"'),
      model: "",
      headers: { "x-one": "\n", "x-two": "\n" },
      timeout: "soon",
      deadline: 0
    })
    expect(error.issues.map(({ param }) => param)).toEqual([
      "modelAccessKey",
      "baseUrl",
      "headers.x-one",
      "headers.x-two",
      "model",
      "timeout",
      "deadline"
    ])
    expect(error.mayHaveBeenCharged).toBe(false)
  })
})
