/**
 * Replies for tests, as the service sends them: JSON, events, and bodies that arrive in pieces, hang or break.
 */

/** An image of `length` bytes. The first 8 are those of every PNG, and the others are `fill`. */
export const png = (length = 16, fill = 7): Uint8Array => {
  const bytes = new Uint8Array(length).fill(fill)
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a].slice(0, length))
  return bytes
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")

/** The JSON of a reply with these images, as an object. */
export const response = (images: ReadonlyArray<Uint8Array> = [png()], more: object = {}) => ({
  created: 1_760_000_000,
  data: images.map((bytes) => ({ b64_json: base64(bytes) })),
  ...more
})

export const usage = {
  input_tokens: 10,
  output_tokens: 1000,
  total_tokens: 1010,
  input_tokens_details: { text_tokens: 8, image_tokens: 2 }
}

export const partial = (index: number, bytes = png(), more: object = {}) => ({
  type: "image_generation.partial_image",
  b64_json: base64(bytes),
  partial_image_index: index,
  ...more
})

export const completed = (bytes = png(), more: object = {}) => ({
  type: "image_generation.completed",
  b64_json: base64(bytes),
  ...more
})

/** An event as text on the wire: its name, and its data as JSON on one line. */
export const event = (data: { readonly type: string }): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`

/** What happens after the last part of a body: it closes, nothing more is sent, or it fails with this error. */
export type Ending = "closes" | "hangs" | Error

/** A body that consists of these parts. At most one part is sent before the reader asks for it. */
export const body = (
  parts: ReadonlyArray<string | Uint8Array>,
  ending: Ending = "closes"
): ReadableStream<Uint8Array<ArrayBuffer>> => {
  let next = 0
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const part = parts[next++]
      if (part !== undefined) controller.enqueue(new Uint8Array(Buffer.from(part)))
      else if (ending === "closes") controller.close()
      else if (ending === "hangs") return new Promise<void>(() => {})
      else controller.error(ending)
      return undefined
    }
  })
}

/** A body in these parts that does not end, and whether its reader has cancelled it. */
export const endless = (parts: ReadonlyArray<string>) => {
  let cancelled = false
  const readable = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part))
    },
    cancel() {
      cancelled = true
    }
  })
  return { readable, isCancelled: () => cancelled }
}

const eventStream = { "content-type": "text/event-stream" }

/** A reply that is an event stream and consists of these parts. */
export const stream = (
  parts: ReadonlyArray<string | Uint8Array>,
  ending: Ending = "closes",
  headers: Record<string, string> = {}
): Response => new Response(body(parts, ending), { headers: { ...eventStream, ...headers } })

/** A reply that is an event stream, and functions with which a test writes its text and closes it. */
export const openStream = () => {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>()
  const writer = writable.getWriter()
  return {
    response: new Response(readable, { headers: eventStream }),
    write: (text: string) => void writer.write(new TextEncoder().encode(text)),
    close: () => void writer.close()
  }
}
