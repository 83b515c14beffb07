/** Tunes V8 for a process through which the images of many requests pass. */
import * as Effect from "effect/Effect"
import { setFlagsFromString } from "node:v8"

/** In bytes. With less memory than this, unused buffers of images could fill the memory before V8 collects them. */
const muchMemory = 4e9

/**
 * Makes V8 collect the whole heap less often. The first flag makes it wait until the heap is four times as large as
 * what was in use after the last collection. By default V8 also collects the heap each time that 64 MB of images have
 * passed through, which took a third of the CPU time. The second flag ends this: V8 then counts the buffers of images
 * as a part of the heap. With this flag and 64 streams at once, the process had 1.6 GB of memory instead of 0.6 GB.
 */
export const collectLess = Effect.sync(() => {
  setFlagsFromString("--heap-growing-percent=300")
  // Node 22 does not have this flag, and would print an error.
  const hasFlag = Number.parseInt(process.versions.node, 10) >= 24
  if (hasFlag && process.availableMemory() >= muchMemory) {
    setFlagsFromString("--external-memory-accounted-in-global-limit")
  }
})
