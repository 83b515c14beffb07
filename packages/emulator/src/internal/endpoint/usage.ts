/** Tokens roughly as the real service counts them: the prompt's by its length, an image's by quality and size. */
import type { ImageGenerateResponse } from "@effect-gradient/core"
import type { Order } from "./Order.ts"

/** Of an image of 1024x1024. */
const imageTokens = { low: 272, medium: 1056, high: 4160, xhigh: 8320, max: 16_640 } as const

/** Each partial image costs this much more. */
const partialTokens = 100

export const usageOf = (
  { height, n, partialImages = 0, prompt, quality, width }: Order,
  images = n
): ImageGenerateResponse.Usage => {
  const inputTokens = Math.ceil(prompt.length / 4) + 6
  const image = Math.ceil((imageTokens[quality] * width * height) / 1024 ** 2)
  const outputTokens = images * (image + partialImages * partialTokens)
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    inputTokensDetails: { textTokens: inputTokens, imageTokens: 0 }
  }
}
