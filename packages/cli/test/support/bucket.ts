/**
 * Starts an S3 server from an npm package, on loopback, with the bucket `images`. Returns its folder, and the
 * environment variables for a command that uses the bucket.
 */
import S3rver from "@20minutes/s3rver"
import { Effect } from "effect"
import { folder } from "./cli.ts"

export const bucket = Effect.gen(function* () {
  const directory = yield* folder
  const server = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new S3rver({
          address: "127.0.0.1",
          port: 0,
          silent: true,
          directory,
          configureBuckets: [{ name: "images", configs: [] }]
        })
    ),
    (running) => Effect.promise(() => running.close())
  )
  const { port } = yield* Effect.promise(() => server.run())
  // The credentials that the server accepts by default.
  const env = {
    AWS_ACCESS_KEY_ID: "S3RVER",
    AWS_SECRET_ACCESS_KEY: "S3RVER",
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`
  }
  return { directory, env }
})
