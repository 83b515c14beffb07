import { describe, expect, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import { GradientClient, Models, RetryPolicy } from "../src/index.ts"
import * as Service from "./support/Service.ts"

/** What `Models.list` returns if the service replies with `answer`, and the requests that the service got. */
const listed = (answer: (number: number) => Service.Answer, options: GradientClient.Options = {}) => {
  const service = Service.transport(answer)
  const client = GradientClient.layer({ modelAccessKey: Redacted.make(Service.key), ...options })
  return { asked: service.asked, models: Models.list.pipe(Effect.provide(Layer.provide(client, service.layer))) }
}

const failure = (answer: () => Service.Answer) => {
  const { models } = listed(answer, { retry: RetryPolicy.none })
  return Effect.flip(models)
}

describe("Models.list", () => {
  it.effect("requests /models below the base URL with the key, and returns each model", () =>
    Effect.gen(function* () {
      const data = [
        { id: "openai-gpt-image-2", object: "model", created: 1_760_000_000, owned_by: "openai" },
        { id: "stable-diffusion-3.5-large", created: 1_760_000_000_000 }
      ]
      const { asked, models } = listed(() => Response.json({ object: "list", data }), {
        baseUrl: "https://host/v1?team=a"
      })
      const created = DateTime.makeUnsafe("2025-10-09T08:53:20Z")
      expect(yield* models).toEqual([
        { id: "openai-gpt-image-2", created, ownedBy: "openai" },
        { id: "stable-diffusion-3.5-large", created }
      ])
      expect(asked.map(({ url }) => url)).toEqual(["https://host/v1/models?team=a"])
      expect(asked[0]?.headers["authorization"]).toBe(`Bearer ${Service.key}`)
      expect(asked[0]?.body).toBeUndefined()
    })
  )

  it.effect("accepts a list without an object around it, and leaves out unreadable entries", () =>
    Effect.gen(function* () {
      const unreadable = { id: "a", created: "soon", owned_by: null, more: [] }
      const list = [
        unreadable,
        { id: "b", created: -1, owned_by: "" },
        { id: "c", created: 1e300 },
        { id: 5 },
        null,
        "d"
      ]
      expect(yield* listed(() => Response.json(list)).models).toEqual([{ id: "a" }, { id: "b" }, { id: "c" }])
      expect(yield* listed(() => Response.json({ data: [] })).models).toEqual([])
    })
  )

  it.effect.each([
    {
      what: "a wrong key",
      reply: () => Response.json({ id: "unauthorized", message: "no" }, { status: 401 }),
      tag: "AuthenticationError"
    },
    {
      what: "a proxy's page",
      reply: () => new Response("<html><title>Log in</title></html>"),
      tag: "InvalidResponseError",
      words: "not JSON: Log in"
    },
    {
      what: "no list",
      reply: () => Response.json({ ok: true }),
      tag: "InvalidResponseError",
      words: "no list of models"
    },
    { what: "null", reply: () => Response.json(null), tag: "InvalidResponseError", words: "no list of models" },
    { what: "an empty body", reply: () => new Response(""), tag: "InvalidResponseError", words: "not JSON" },
    {
      what: "an error at 200",
      reply: () => Response.json({ error: { message: "slowly", code: "rate_limit_exceeded" } }),
      tag: "RateLimitError",
      words: "slowly"
    },
    {
      what: "a body without end",
      reply: () => new Response(new ReadableStream({ pull: (body) => body.enqueue(new Uint8Array(65_536)) })),
      tag: "InvalidResponseError",
      words: "longer than 1048576 bytes"
    },
    { what: "a 500", reply: () => new Response("no", { status: 500 }), tag: "InternalServerError" },
    { what: "a broken connection", reply: () => new Error("reset"), tag: "DisconnectedError", words: "reset" }
  ])("$what is $tag, and nothing was charged", ({ reply, tag, words }) =>
    Effect.gen(function* () {
      const error = yield* failure(reply)
      expect(error.reason._tag).toBe(tag)
      expect(error.message).toContain(words ?? "")
      expect(error.message).not.toContain("charged")
      expect(error.mayHaveBeenCharged).toBe(false)
    })
  )

  it.effect("redacts the key in errors", () =>
    Effect.gen(function* () {
      expect(inspect(yield* failure(() => new Response(`key ${Service.key}`)), { depth: 50 })).not.toContain(
        Service.key
      )
    })
  )

  it.effect("retries every temporary failure, because nothing can be charged for", () =>
    Effect.gen(function* () {
      const { asked, models } = listed((number) =>
        number === 0 ? new Response("no", { status: 500 }) : Response.json([{ id: "a" }])
      )
      const fiber = yield* Effect.forkChild(models)
      yield* Service.settle
      yield* Service.advance("1 second")
      expect(yield* Service.join(fiber)).toEqual([{ id: "a" }])
      expect(asked).toHaveLength(2)
    })
  )

  it.effect("fails after timeout, which includes the body", () =>
    Effect.gen(function* () {
      const { models } = listed(() => new Response(new ReadableStream({})), {
        timeout: "3 seconds",
        retry: RetryPolicy.none
      })
      const fiber = yield* Effect.forkChild(Effect.flip(models))
      yield* Service.settle
      yield* Service.advance("3 seconds")
      const error = yield* Service.join(fiber)
      expect(error.reason).toMatchObject({ _tag: "RequestTimeoutError", mayHaveBeenCharged: false })
      yield* Fiber.interrupt(fiber)
    })
  )
})
