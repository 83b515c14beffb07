/** An S3 server from npm, on loopback, with one bucket. */
import S3rver from "@20minutes/s3rver"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ImageStore } from "../../src/index.ts"

/** The server's own credentials. */
const credentials = { accessKeyId: "S3RVER", secretAccessKey: Redacted.make("S3RVER") }

export const s3 = Effect.acquireRelease(
  Effect.promise(async () => {
    const directory = await mkdtemp(join(tmpdir(), "s3-"))
    const server = new S3rver({
      address: "127.0.0.1",
      port: 0,
      silent: true,
      directory,
      configureBuckets: [{ name: "images", configs: [] }]
    })
    const { port } = await server.run()
    const options: ImageStore.S3Options = { ...credentials, bucket: "images", endpoint: `http://127.0.0.1:${port}` }
    return { server, directory, options }
  }),
  ({ directory, server }) =>
    Effect.promise(async () => {
      await server.close()
      await rm(directory, { recursive: true, force: true })
    })
)

export const inBucket = (options: ImageStore.S3Options) =>
  ImageStore.layerS3(options).pipe(Layer.provide(FetchHttpClient.layer))
