import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/** A server cannot listen on its port. */
export class PortError extends Schema.TaggedError<PortError>("@effect-gradient/cli/PortError")("PortError", {
  port: Schema.Int,
  cause: Schema.Defect()
}) {
  override readonly [Runtime.errorExitCode] = 1

  override get message(): string {
    const { cause, port } = this
    const why = cause instanceof Error ? cause.message : String(cause)
    return `The server cannot listen on port ${port} (${why}). With --port 0, it uses any free port.`
  }
}
