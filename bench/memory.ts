/**
 * Measures the memory that a stream of images uses if each image is dropped, and if all are kept: `node --expose-gc
 * bench/memory.ts` prints the figures, and sends them to its parent process if there is one.
 */
import { Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Stream } from "effect"
import { optionsOf } from "./contestants/withLayer.ts"
import { inUse } from "./measure.ts"
import { answer, start } from "./process.ts"
import { pathOf, type Work, workOf } from "./works.ts"

export interface Memory {
  /**
   * Bytes in use after the 10th image of a stream (`atImage10`) and after the 100th (`atImage100`), if no image is
   * kept.
   */
  readonly atImage10: number
  readonly atImage100: number
  /** Bytes in use for each byte of the images, if all images are kept. */
  readonly keptRatio: number
}

const server = start("./server.ts")
const serverUrl = String(await answer(server))

/** A stream of this many images of 12 MB. */
const streamOf = (images: number) => {
  const work: Work = { ...workOf("stream-12MB"), images }
  const endpoint = { baseUrl: `${serverUrl}${pathOf(work)}`, images }
  return Images.generateStream({ model: "bench", prompt: "A cute baby sea otter", partialImages: images - 1 }).pipe(
    Stream.provide(NodeImages.layer(optionsOf(endpoint)))
  )
}

/** The bytes in use after each image of a stream, if no image is kept. */
const whenDropped = streamOf(100).pipe(
  Stream.map(({ bytes }) => bytes.length),
  Stream.mapEffect(() => Effect.sync(inUse)),
  Stream.runCollect
)

/** The bytes in use for each byte of the images of a stream, if all images are kept. */
const whenKept = Effect.gen(function* () {
  const before = inUse()
  const images = yield* Stream.runCollect(streamOf(20))
  const kept = images.reduce((sum, { bytes }) => sum + bytes.length, 0)
  return (inUse() - before) / kept
})

const [dropped, keptRatio] = await Effect.runPromise(Effect.all([whenDropped, whenKept]))
server.disconnect()
const figures = { atImage10: dropped[9], atImage100: dropped[99], keptRatio }
console.log(figures)
process.send?.(figures)
process.disconnect?.()
