import { watch } from "./watch.ts"

/** Prints PartialImage three times, then Completed. */
export const printEvents = async (prompt: string) => {
  for await (const event of await watch(prompt)) {
    console.log(event._tag, event.bytes.length)
  }
}
