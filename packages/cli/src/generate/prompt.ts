/** Reads the prompt: the argument, or the text on standard input. */
import { CliError } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"

/** Standard input cannot be read, or its content cannot be a prompt. */
export class PromptError extends Schema.TaggedError<PromptError>("@effect-gradient/cli/PromptError")("PromptError", {
  problem: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return `Standard input ${this.problem}. Nothing was sent.`
  }
}

/** The maximum size of a prompt in bytes: even the longest prompt, in any encoding, has fewer. */
const mostBytes = 256 * 1024

const readBytes = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  let length = 0
  const chunks = yield* stdio.stdin.pipe(
    Stream.takeUntil((chunk) => (length += chunk.length) > mostBytes),
    Stream.runCollect,
    Effect.mapError(({ message }) => new PromptError({ problem: `cannot be read: ${message}` }))
  )
  return Buffer.concat(chunks)
})

const encodingOf = ([first, second]: Uint8Array): string => {
  if (first === 0xff && second === 0xfe) return "utf-16le"
  return first === 0xfe && second === 0xff ? "utf-16be" : "utf-8"
}

/**
 * Turns bytes into text. Fails if they are not text: a prompt of replacement characters would cost as much as a real
 * one.
 */
const decode = Effect.fnUntraced(function* (bytes: Uint8Array) {
  if (bytes.length > mostBytes) return yield* new PromptError({ problem: "is too long for a prompt" })
  const encoding = encodingOf(bytes)
  const text = yield* Effect.try({
    try: () => new TextDecoder(encoding, { fatal: true }).decode(bytes),
    catch: () =>
      new PromptError({
        problem: `is not valid ${encoding.toUpperCase()}: use UTF-8, or UTF-16 with a byte order mark`
      })
  })
  if (text.includes("\0")) {
    return yield* new PromptError({ problem: "is not text, because it contains zero bytes: use UTF-8" })
  }
  return text.trim()
})

/**
 * Returns the prompt: the argument, or standard input if the argument is `-`. If the argument is absent, standard input
 * is read unless it is a terminal.
 */
export const promptOf = Effect.fnUntraced(function* (argument: Option.Option<string>) {
  if (Option.isSome(argument) && argument.value !== "-") return argument.value
  const stdio = yield* Stdio.Stdio
  if (Option.isNone(argument) && (yield* stdio.stdinIsTerminal)) {
    const errors = [new CliError.MissingArgument({ argument: "prompt" })]
    return yield* new CliError.ShowHelp({ commandPath: ["gradient-images", "generate"], errors })
  }
  return yield* Effect.flatMap(readBytes, decode)
})
