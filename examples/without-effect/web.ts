import { GradientError, Images, ImageGenStreamEvent } from "@effect-gradient/core"
import { Stream } from "effect"
import { images } from "./images.ts"

/**
 * Streams images as server-sent events, with the web's Request and Response: for Hono, Next.js, SvelteKit, Bun.serve and
 * Deno.serve. If the request fails before the first image, the reply has an error status. A later failure breaks the body
 * off.
 */
export const pictures = async (request: Request): Promise<Response> => {
  const prompt = new URL(request.url).searchParams.get("prompt") ?? ""
  const events = Stream.toAsyncIterableWith(
    Images.generateStream({ prompt, partialImages: 3 }),
    await images.context()
  )[Symbol.asyncIterator]()
  const leave = () => void events.return?.()
  request.signal.addEventListener("abort", leave)
  try {
    let next = await events.next()
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        if (next.done === true) return controller.close()
        controller.enqueue(new TextEncoder().encode(ImageGenStreamEvent.toServerSentEvent(next.value)))
        next = await events.next()
      },
      cancel: leave
    })
    return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } })
  } catch (error) {
    if (!(error instanceof GradientError.GradientError)) throw error
    const status = GradientError.httpStatus(error.reason)
    const headers = error.mayHaveBeenCharged ? { "x-should-retry": "false" } : {}
    return Response.json({ error: { message: error.reason.summary } }, { status, headers })
  }
}
