import { assert, describe, it } from "@effect/vitest"
import { ImageGenerateParams } from "@effect-gradient/core"
import { Deferred, Effect } from "effect"
import { mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { completed, png } from "../../node/test/support/server.ts"
import { folder, run } from "./support/cli.ts"
import { emulator, imagesOf, linksOf, server, textOf } from "./support/mcp.ts"
import { service } from "./support/service.ts"

const prompt = "A red fox"
const small = { prompt, size: "64x64" }

const files = (path: string) => Effect.promise(() => readdir(path))

const eventually = <E>(holds: Effect.Effect<boolean, E>) =>
  Effect.repeat(Effect.delay(holds, "20 millis"), { until: (isTrue) => isTrue, times: 500 }).pipe(
    Effect.map((isTrue) => assert.isTrue(isTrue))
  )

describe("gradient-images mcp", () => {
  it.live("describes each param of generate_image, and accepts no other", () =>
    Effect.gen(function* () {
      const { baseUrl, requests } = yield* emulator()
      const { call, client } = yield* server(baseUrl)
      const { tools } = yield* Effect.promise(() => client.listTools())
      assert.deepStrictEqual(
        tools.map(({ name }) => name),
        ["generate_image", "list_images", "show_image"]
      )
      const [{ inputSchema } = assert.fail("no tools")] = tools
      const { properties = {} } = inputSchema
      assert.sameMembers(Object.keys(properties), [...ImageGenerateParams.names])
      for (const schema of Object.values(properties)) assert.property(schema, "description")
      assert.isFalse(inputSchema["additionalProperties"])
      const refused = yield* call("generate_image", { ...small, output_format: "png" })
      assert.isTrue(refused.isError)
      assert.include(textOf(refused), "output_format")
      assert.strictEqual(yield* requests, 0)
    }).pipe(Effect.scoped)
  )

  it.live("writes the image into the folder, and gives its path, its link and, if it is small, the image", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* emulator()
      const { call, client, images, violations } = yield* server(baseUrl)
      const result = yield* call("generate_image", small)
      const path = join(images, "a-red-fox.png")
      const bytes = yield* Effect.promise(() => readFile(path))
      assert.isFalse(result.isError)
      assert.include(textOf(result), `${path} (image/png, 64x64, `)
      const [{ mimeType, size, uri } = assert.fail("no link")] = linksOf(result)
      assert.deepStrictEqual([fileURLToPath(uri), mimeType, size], [path, "image/png", bytes.length])
      assert.deepStrictEqual(
        imagesOf(result).map(({ data }) => data),
        [bytes.toString("base64")]
      )
      const { contents } = yield* Effect.promise(() => client.readResource({ uri }))
      assert.deepStrictEqual(contents, [{ uri, mimeType: "image/png", blob: bytes.toString("base64") }])
      assert.deepStrictEqual(violations, [])
    }).pipe(Effect.scoped)
  )

  it.live("does not include a large image, in any form", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* emulator({ images: "painted" })
      const { call } = yield* server(baseUrl)
      const generated = yield* call("generate_image", { prompt, size: "1024x1024" })
      const shown = yield* call("show_image", { image: "a-red-fox.png" })
      for (const result of [generated, shown]) {
        const [{ size = 0 } = assert.fail("no link")] = linksOf(result)
        assert.isAbove(size, 256 * 1024)
        assert.deepStrictEqual(imagesOf(result), [])
        assert.include(textOf(result), "is not included, because this result would be too large")
        assert.isBelow(JSON.stringify(result).length, 2000)
      }
    }).pipe(Effect.scoped)
  )

  it.live("includes images up to --inline, all of a result together", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* emulator()
      const { call, images } = yield* server(baseUrl)
      const { size = 0 } = linksOf(yield* call("generate_image", small))[0] ?? {}
      const second = yield* server(baseUrl, ["--inline", String(2 * size)])
      const result = yield* second.call("generate_image", { ...small, n: 3 })
      assert.deepStrictEqual([linksOf(result).length, imagesOf(result).length], [3, 2])
      const third = yield* server(baseUrl, ["--inline", "0"], images)
      assert.deepStrictEqual(imagesOf(yield* third.call("show_image", { image: "a-red-fox.png" })), [])
    }).pipe(Effect.scoped)
  )

  it.live("reports partial images as progress", () =>
    Effect.gen(function* () {
      // The client ignores reports that arrive after the result, so the images must not come all at once.
      const { baseUrl } = yield* emulator({ pace: "500 millis" })
      const { call } = yield* server(baseUrl)
      const progress: Array<readonly [number, string | undefined]> = []
      yield* call(
        "generate_image",
        { ...small, partialImages: 2 },
        {
          onProgress: ({ message, progress: number }) => progress.push([number, message])
        }
      )
      const messages = progress.map(([, message]) => message)
      assert.includeMembers(messages, ["Partial image 1 of 2", "Partial image 2 of 2"])
      assert.deepStrictEqual(
        progress.map(([number]) => number),
        progress.map((_, index) => index + 1)
      )
    }).pipe(Effect.scoped)
  )

  it.live("lists what was generated, the newest first, and shows it", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* emulator()
      const { call, images } = yield* server(baseUrl)
      assert.include(textOf(yield* call("list_images")), "0 images in")
      for (const animal of ["fox", "owl"]) {
        yield* call("generate_image", { ...small, prompt: animal, outputFormat: "webp" })
      }
      const [first, owl, fox] = textOf(yield* call("list_images")).split("\n")
      assert.strictEqual(first, `2 images in ${images}`)
      assert.include(owl, "owl.webp")
      assert.include(fox, "fox.webp")
      assert.notInclude(textOf(yield* call("list_images", { limit: 1 })), "fox.webp")
      const shown = yield* call("show_image", { image: join(images, "fox.webp") })
      assert.deepStrictEqual(
        imagesOf(shown).map(({ mimeType }) => mimeType),
        ["image/webp"]
      )
    }).pipe(Effect.scoped)
  )
})

describe("what an agent can spend", () => {
  it.live("is at most --images, and the refusal says what is left", () =>
    Effect.gen(function* () {
      const { baseUrl, paid } = yield* emulator()
      const { call } = yield* server(baseUrl, ["--images", "3"])
      yield* call("generate_image", { ...small, n: 2 })
      const refused = yield* call("generate_image", { ...small, prompt: "An owl", n: 2 })
      assert.isTrue(refused.isError)
      assert.match(textOf(refused), /budget.*only 1 of 3 is left.*Ask for at most 1/)
      yield* call("generate_image", { ...small, prompt: "An owl" })
      const last = yield* call("generate_image", { ...small, prompt: "A lynx" })
      assert.match(textOf(last), /Do not call again/)
      assert.deepStrictEqual(yield* paid, [2, 1])
    }).pipe(Effect.scoped)
  )

  it.live("starts again after --window", () =>
    Effect.gen(function* () {
      const { baseUrl, paid } = yield* emulator()
      const { call } = yield* server(baseUrl, ["--images", "1", "--window", "100ms"])
      yield* call("generate_image", small)
      const owl = Effect.map(call("generate_image", { ...small, prompt: "An owl" }), ({ isError }) => isError === false)
      yield* eventually(owl)
      assert.deepStrictEqual(yield* paid, [1, 1])
    }).pipe(Effect.scoped)
  )

  it.live("is one payment for the same params, at the same time and later", () =>
    Effect.gen(function* () {
      const { baseUrl, paid } = yield* emulator({ latency: "300 millis" })
      const { call, images } = yield* server(baseUrl)
      const again = { size: "64x64", n: null, prompt }
      const [first, second] = yield* Effect.all([call("generate_image", small), call("generate_image", again)], {
        concurrency: 2
      })
      const third = yield* call("generate_image", small)
      assert.deepStrictEqual(second, first)
      assert.deepStrictEqual(third, first)
      assert.deepStrictEqual(yield* files(images), ["a-red-fox.png"])
      assert.deepStrictEqual(yield* paid, [1])
      yield* call("generate_image", { ...small, quality: "low" })
      assert.deepStrictEqual(yield* paid, [1, 1])
    }).pipe(Effect.scoped)
  )

  it.live("is one payment for a call that is cancelled and repeated", () =>
    Effect.gen(function* () {
      const { baseUrl, paid } = yield* emulator({ latency: "300 millis" })
      const { call, callNow, images } = yield* server(baseUrl)
      const cancel = new AbortController()
      const sent = yield* Deferred.make<void>()
      const cancelled = callNow("generate_image", small, {
        signal: cancel.signal,
        onProgress: () => Deferred.doneUnsafe(sent, Effect.void)
      })
      const ended = cancelled.then(
        () => "answered",
        () => "cancelled"
      )
      yield* Deferred.await(sent)
      cancel.abort()
      assert.strictEqual(yield* Effect.promise(() => ended), "cancelled")
      assert.isFalse((yield* call("generate_image", small)).isError)
      assert.deepStrictEqual(yield* files(images), ["a-red-fox.png"])
      assert.deepStrictEqual(yield* paid, [1])
    }).pipe(Effect.scoped)
  )

  it.live("is one payment for a call that failed and may have been charged for", () =>
    Effect.gen(function* () {
      const { baseUrl, paid } = yield* emulator({ faults: ["status=500 x1"] })
      const { call } = yield* server(baseUrl)
      const failed = yield* call("generate_image", small)
      assert.match(textOf(failed), /may have been charged for: ask the user/)
      assert.deepStrictEqual(yield* call("generate_image", small), failed)
      assert.deepStrictEqual(yield* paid, [1])
    }).pipe(Effect.scoped)
  )

  it.live("includes a call that failed without a charge and is repeated", () =>
    Effect.gen(function* () {
      const { baseUrl, paid } = yield* emulator({ faults: ["status=400;code=moderation_blocked x1"] })
      const { call } = yield* server(baseUrl)
      const refused = yield* call("generate_image", small)
      assert.isTrue(refused.isError)
      assert.match(textOf(refused), /Moderation refused.*Nothing was charged for/)
      assert.isFalse((yield* call("generate_image", small)).isError)
      assert.deepStrictEqual(yield* paid, [1])
    }).pipe(Effect.scoped)
  )

  it.live("is not lost if the host closes the server: the image is written", () =>
    Effect.gen(function* () {
      const { baseUrl, paid } = yield* emulator({ latency: "300 millis" })
      const { callNow, client, images } = yield* server(baseUrl)
      const sent = yield* Deferred.make<void>()
      const left = callNow("generate_image", small, { onProgress: () => Deferred.doneUnsafe(sent, Effect.void) })
      const ended = left.catch(() => undefined)
      yield* Deferred.await(sent)
      yield* eventually(Effect.map(paid, ({ length }) => length === 1))
      yield* Effect.promise(() => client.close())
      yield* Effect.promise(() => ended)
      assert.deepStrictEqual(yield* files(images), ["a-red-fox.png"])
    }).pipe(Effect.scoped)
  )

  it.live("writes each image of a stream that breaks off once", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* service((response) => {
        response.setHeader("content-type", "text/event-stream")
        response.write(completed(png(100)), () => setTimeout(() => response.destroy(), 200))
      })
      const { call, images } = yield* server(baseUrl)
      const failed = yield* call("generate_image", { prompt, n: 2, partialImages: 1 })
      assert.isTrue(failed.isError)
      assert.deepStrictEqual(yield* files(images), ["a-red-fox.png"])
    }).pipe(Effect.scoped)
  )

  it.live("keeps the partial image of a stream that breaks off", () =>
    Effect.gen(function* () {
      const { baseUrl, paid } = yield* emulator({ faults: ["no-completed"] })
      const { call, images } = yield* server(baseUrl)
      const failed = yield* call("generate_image", { ...small, partialImages: 1 })
      assert.isTrue(failed.isError)
      assert.include(textOf(failed), join(images, "a-red-fox.png"))
      assert.deepStrictEqual(yield* paid, [1])
    }).pipe(Effect.scoped)
  )

  it.live("is nothing if the params are wrong, and all that is wrong is named", () =>
    Effect.gen(function* () {
      const { baseUrl, requests } = yield* emulator()
      const { call } = yield* server(baseUrl)
      const refused = yield* call("generate_image", { prompt: " ", n: 11, outputCompression: "low", partialImages: 9 })
      assert.isTrue(refused.isError)
      for (const param of ["prompt", "n", "outputCompression"]) assert.include(textOf(refused), `${param} must be`)
      assert.strictEqual(yield* requests, 0)
    }).pipe(Effect.scoped)
  )
})

/** Makes a folder outside of the server's folder, with a file that the server must not read. */
const outside = Effect.acquireRelease(
  Effect.promise(async () => {
    const path = await mkdtemp(join(tmpdir(), "outside-"))
    await writeFile(join(path, "secret.png"), Buffer.from("\x89PNG\r\n\x1a\nsecret", "latin1"))
    return path
  }),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

describe("the folder", () => {
  it.live("is the only one that is read: not by a path, a link or the address of a resource", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* emulator()
      const { call, client, images } = yield* server(baseUrl)
      const secret = join(yield* outside, "secret.png")
      yield* Effect.promise(() => symlink(secret, join(images, "link.png")))
      yield* Effect.promise(() => writeFile(join(images, "notes.png"), "not an image"))
      const names = ["../secret.png", secret, "link.png", "notes.png", ".", "", "missing.png", "a/../../b.png"]
      for (const image of names) {
        const refused = yield* call("show_image", { image })
        assert.isTrue(refused.isError, image)
        assert.notInclude(JSON.stringify(refused), "secret\\n")
        assert.deepStrictEqual(imagesOf(refused), [])
      }
      assert.notInclude(textOf(yield* call("list_images")), "link.png")
      for (const uri of [`file://${secret}`, `file://${images}/link.png`, `file://${images}/..%2f${secret}`]) {
        const refused = client.readResource({ uri }).then(
          () => "read",
          () => "refused"
        )
        assert.strictEqual(yield* Effect.promise(() => refused), "refused")
      }
    }).pipe(Effect.scoped)
  )

  it.live("is the only one that is written to: not through a link with the name of an image", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* emulator()
      const { call, images } = yield* server(baseUrl)
      const other = yield* outside
      yield* Effect.promise(() => symlink(join(other, "new.png"), join(images, "a-red-fox.png")))
      yield* call("generate_image", small)
      yield* call("generate_image", { ...small, prompt: "../../a red fox/../x" })
      assert.deepStrictEqual(yield* files(other), ["secret.png"])
      assert.sameMembers(yield* files(images), ["a-red-fox.png", "a-red-fox-2.png", "a-red-fox-x.png"])
    }).pipe(Effect.scoped)
  )

  it.live("is not followed if a link takes its place: nothing is sent", () =>
    Effect.gen(function* () {
      const { baseUrl, requests } = yield* emulator()
      const { call, images } = yield* server(baseUrl)
      const other = yield* outside
      yield* Effect.promise(() => rename(images, `${images}-old`))
      yield* Effect.promise(() => symlink(other, images))
      const refused = yield* call("generate_image", small)
      yield* Effect.promise(() => rm(images))
      yield* Effect.promise(() => rename(`${images}-old`, images))
      assert.isTrue(refused.isError)
      assert.match(textOf(refused), /leads to another folder than when the server started.*Nothing was sent/)
      assert.deepStrictEqual([yield* files(other), yield* requests], [["secret.png"], 0])
    }).pipe(Effect.scoped)
  )

  it.live("loses no image if it cannot be written to meanwhile: the result includes the image", () =>
    Effect.gen(function* () {
      const { baseUrl, paid } = yield* emulator({ latency: "300 millis" })
      const { callNow, images } = yield* server(baseUrl)
      const sent = yield* Deferred.make<void>()
      const call = callNow("generate_image", small, { onProgress: () => Deferred.doneUnsafe(sent, Effect.void) })
      yield* Deferred.await(sent)
      yield* eventually(Effect.map(paid, ({ length }) => length === 1))
      yield* Effect.promise(() => rm(images, { recursive: true }))
      yield* Effect.promise(() => writeFile(images, "a file in place of the folder"))
      const result = yield* Effect.promise(() => call)
      assert.isTrue(result.isError)
      assert.include(textOf(result), "This result includes the image")
      assert.deepStrictEqual(
        imagesOf(result).map(({ mimeType }) => mimeType),
        ["image/png"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("is gradient-images in the home folder by default", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { code, stdout } = yield* run(["mcp", "--emulate"], { cwd, env: { HOME: cwd } })
      assert.deepStrictEqual([code, stdout], [0, ""])
      assert.deepStrictEqual(yield* files(cwd), ["gradient-images"])
    }).pipe(Effect.scoped)
  )

  it.live("can be named with a tilde, although no shell replaces it", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      yield* run(["mcp", "--emulate", "--folder", "~/drawings"], { cwd, env: { HOME: cwd } })
      assert.deepStrictEqual(yield* files(cwd), ["drawings"])
    }).pipe(Effect.scoped)
  )

  it.live("that cannot be made prevents the start: exit code 2", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      yield* Effect.promise(() => writeFile(join(cwd, "file"), ""))
      const { code, stderr, stdout } = yield* run(["mcp", "--emulate", "--folder", "file"], { cwd })
      assert.deepStrictEqual([code, stdout], [2, ""])
      assert.match(stderr, /The folder file cannot be used/)
    }).pipe(Effect.scoped)
  )
})

describe("the start of gradient-images mcp", () => {
  it.live("without a key fails with exit code 2, and writes nothing to standard output", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { code, stderr, stdout } = yield* run(["mcp", "--folder", cwd], { cwd })
      assert.deepStrictEqual([code, stdout], [2, ""])
      assert.match(stderr, /GRADIENT_MODEL_ACCESS_KEY.*DIGITALOCEAN_ACCESS_TOKEN/)
      assert.notInclude(stderr, "ConfigError")
    }).pipe(Effect.scoped)
  )
})
