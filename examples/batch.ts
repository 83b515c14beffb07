import { ImageBatch } from "@effect-gradient/durable"
import { Effect, FileSystem, Stream } from "effect"

/**
 * Runs the requests in this file as the batch `animals`, and logs its progress. Provide it with `DurableImages.layer`,
 * with the journal and the store that this layer uses, and with a `FileSystem`.
 */
export const runFile = (path: string) =>
  Stream.unwrap(
    Effect.map(FileSystem.FileSystem, (fs) =>
      ImageBatch.run({
        name: "animals",
        lines: fs.stream(path).pipe(Stream.decodeText(), Stream.splitLines),
        concurrency: 8
      })
    )
  ).pipe(Stream.runForEach(({ done, failed, inDoubt, total }) => Effect.log({ done, failed, inDoubt, total })))
