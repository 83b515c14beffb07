import { Images } from "@effect-gradient/core"
import { Effect } from "effect"

export const answer = (prompt: string) =>
  Images.generate({ prompt }).pipe(
    Effect.map((response) => `An image of ${response.data[0].bytes.length} bytes.`),
    Effect.catchReasons("GradientError", {
      ContentPolicyError: () => Effect.succeed("Please ask for something else."),
      RateLimitError: () => Effect.succeed("Please wait a minute.")
    }),
    Effect.catchTag("GradientError", (error) =>
      Effect.succeed(
        error.mayHaveBeenCharged ? `Paid for, perhaps: ${error.message}` : `Nothing lost: ${error.message}`
      )
    )
  )
