import { watch } from "./watch.ts"

/** Prints the tag of each event, `PartialImage` or `Completed`, and the size of its image in bytes. */
export const printEvents = async (prompt: string) => {
  for await (const event of await watch(prompt)) {
    console.log(event._tag, event.bytes.length)
  }
}
