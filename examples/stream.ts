import { Images } from "@effect-gradient/core"
import { ImageFile } from "@effect-gradient/node"
import { Console, Stream } from "effect"

/** Writes each image to the file, in place of the one before. Each is sharper. */
export const watch = (file: string) =>
  Images.generateStream({ prompt: "A cute baby sea otter", partialImages: 3 }).pipe(
    ImageFile.writeLatest(file, { overwrite: true }),
    Stream.runForEach(({ event, path }) => Console.log(`${event._tag}: ${event.bytes.length} bytes in ${path}`))
  )
