import { watch } from "./watch.ts"

/** Prints the tag and the size of each event: up to three times `PartialImage`, then `Completed`. */
export const printEvents = async (prompt: string) => {
  for await (const event of await watch(prompt)) {
    console.log(event._tag, event.bytes.length)
  }
}
