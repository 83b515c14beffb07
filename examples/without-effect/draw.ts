import { GradientError, Images } from "@effect-gradient/core"
import { images } from "./images.ts"

/** Returns the bytes of an image, or a message about a `GradientError`. Aborting the signal cancels the request. */
export const draw = async (prompt: string, signal?: AbortSignal): Promise<Uint8Array | string> => {
  try {
    const response = await images.runPromise(Images.generate({ prompt }), { signal })
    return response.data[0].bytes
  } catch (error) {
    if (!(error instanceof GradientError.GradientError)) throw error // for example, no key is set, or you aborted the call
    switch (error.reason._tag) {
      case "ContentPolicyError":
        return "Please ask for something else."
      case "RateLimitError":
        return "Please wait a minute."
      default:
        return error.mayHaveBeenCharged ? `Perhaps paid for: ${error.message}` : `Not paid for: ${error.message}`
    }
  }
}
