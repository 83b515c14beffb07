/**
 * The program that tests run on Bun and Deno. It makes a call with a layer of NodeImages, writes files into the folder
 * that its argument names, and prints the results of both as JSON.
 */
import { GeneratedImage, Images } from "@effect-gradient/core"
import { ImageFile, NodeImages } from "@effect-gradient/node"
import { Effect } from "effect"
import { createServer } from "node:http"
import { join } from "node:path"

const bytes = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(100)])
const body = JSON.stringify({ created: 1_700_000_000, data: [{ b64_json: bytes.toString("base64") }] })
const server = createServer((request, response) => request.resume().on("end", () => response.end(body)))
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
const address = server.address()
const port = address !== null && typeof address === "object" ? address.port : 0

const program = Effect.gen(function* () {
  const folder = process.argv[2] ?? "."
  const image = new GeneratedImage.GeneratedImage({ bytes })
  const written: Array<string> = []
  for (const options of [{}, {}, { overwrite: true }]) {
    written.push(yield* ImageFile.write(image, join(folder, "otter"), options))
  }
  const call = yield* Images.generate({ prompt: "A sea otter" }).pipe(
    Effect.map(({ data }) => `${data[0].bytes.length} bytes`),
    Effect.provide(NodeImages.layer({ baseUrl: `http://127.0.0.1:${port}/v1` })),
    Effect.catchTag("GradientError", ({ message, reason }) => Effect.succeed(`${reason._tag}: ${message}`))
  )
  return { call, written }
})

process.stdout.write(JSON.stringify(await Effect.runPromise(program)))
process.exit(0)
