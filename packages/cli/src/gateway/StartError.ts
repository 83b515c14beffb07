import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/** The gateway cannot start: nobody could call it, or something that it needs is missing. */
export class StartError extends Schema.TaggedError<StartError>("@effect-gradient/cli/StartError")("StartError", {
  problem: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return this.problem
  }
}
