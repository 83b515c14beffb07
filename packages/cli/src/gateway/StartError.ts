import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/** The gateway cannot start: no caller has a key, a setting is missing or wrong, or Redis cannot be used. */
export class StartError extends Schema.TaggedError<StartError>("@effect-gradient/cli/StartError")("StartError", {
  problem: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return this.problem
  }
}
