/**
 * The calls of `imagesCases.ts` as a program for Node, Bun and Deno: `imagesProcess.ts <url of the service> <url that
 * refuses connections>` makes the calls through each layer, and prints their results as JSON in its last line.
 */
import { BrowserImages } from "@effect-gradient/browser"
import { GeneratedImage } from "@effect-gradient/core"
import { ImageFile, NodeImages } from "@effect-gradient/node"
import { Effect, Layer } from "effect"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { argv, exit } from "node:process"
import { type MakeLayer, runCases } from "./imagesCases.ts"

const [, , service = "", refused = ""] = argv

/** Makes all calls through a layer. Returns their results, or the error message if the layer cannot be built. */
const runLayer = async (name: string, makeLayer: MakeLayer) => {
  const refusal = await Layer.build(makeLayer({ baseUrl: service })).pipe(
    Effect.scoped,
    Effect.as(undefined),
    Effect.catch((error) => Effect.succeed(error.message)),
    Effect.runPromise
  )
  return refusal === undefined
    ? { layer: name, rows: await runCases(makeLayer, { refused, service: `${service}/${name}` }) }
    : { layer: name, rows: [], refusal }
}

/** Writes an image file, and returns whether the file has the image's bytes. */
const imageFile = async () => {
  const folder = await mkdtemp(join(tmpdir(), "effect-gradient-file-"))
  const image = new GeneratedImage.GeneratedImage({ bytes: new Uint8Array([0x89, 0x50, 0x4e, 0x47]) })
  const path = await Effect.runPromise(ImageFile.write(image, join(folder, "image")))
  const read = await readFile(path)
  await rm(folder, { recursive: true })
  return read.equals(image.bytes)
}

const runs = [await runLayer("NodeImages", NodeImages.layer), await runLayer("BrowserImages", BrowserImages.layer)]
console.log(JSON.stringify({ runs, imageFile: await imageFile() }))
exit()
