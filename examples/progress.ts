import { Images, ImageStream } from "@effect-gradient/core"
import { Console, Duration, Effect } from "effect"

const draw = (prompt: string) =>
  Images.generateStream(
    { prompt, partialImages: 2 },
    { onRetry: ({ delay, reason }) => Console.log(`${prompt}: ${reason.summary}, retry in ${Duration.format(delay)}`) }
  ).pipe(
    ImageStream.tapProgress(({ elapsed, images }) =>
      Console.log(`${prompt}: image ${images} after ${Duration.format(elapsed)}`)
    ),
    ImageStream.runCompleted
  )

/** Generates an image for each prompt, three at a time. It prints a line for each image that arrives and for each retry. */
export const drawAll = (prompts: ReadonlyArray<string>) => Effect.forEach(prompts, draw, { concurrency: 3 })
