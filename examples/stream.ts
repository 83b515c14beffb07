import { Images } from "@effect-gradient/core"
import { ImageFile } from "@effect-gradient/node"
import { Console, Stream } from "effect"

/**
 * Generates an image, and writes each partial image and then the final one to the file, in place of the one before. If
 * `file` has no extension, that of the image is added.
 */
export const watch = (file: string) =>
  Images.generateStream({ prompt: "A cute baby sea otter", partialImages: 3 }).pipe(
    ImageFile.writeLatest(file, { overwrite: true }),
    Stream.runForEach(({ event, path }) => Console.log(`${event._tag}: ${event.bytes.length} bytes in ${path}`))
  )
