/**
 * `gradient-images generate`: from a prompt to files.
 */
import { type GeneratedImage, ImageGenerateParams, RetryPolicy } from "@effect-gradient/core"
import { Argument, CliError, Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { descriptions } from "./descriptions.ts"
import { Arrived, ask, type Generated } from "../generate/ask.ts"
import * as Files from "../generate/files.ts"
import { baseUrl, duration, given, inFlags, yes } from "../flags.ts"
import * as Progress from "../output/progress.ts"
import { save, WriteError } from "../generate/save.ts"
import * as Service from "../service.ts"
import * as Summary from "../output/summary.ts"

type Params = ImageGenerateParams.ImageGenerateParamsStreaming

/** A flag for every param but the prompt. */
const paramFlags = {
  model: given(
    Flag.String("model"),
    `The model. Default: GRADIENT_IMAGE_MODEL, else ${ImageGenerateParams.defaultModel}`
  ),
  n: given(Flag.Finite("n"), "How many images, 1 to 10. Default: 1"),
  size: given(Flag.String("size"), "Pixels: 1024x1024, 1536x1024, 1024x1536 or auto"),
  quality: given(Flag.String("quality"), "low, medium, high (takes minutes), xhigh, max or auto"),
  background: given(Flag.String("background"), "transparent (png and webp), opaque or auto"),
  outputFormat: given(Flag.String("output-format"), "png, webp or jpeg. Default: as --output ends, else png"),
  outputCompression: given(Flag.Finite("output-compression"), "Quality from 0 to 100, for webp and jpeg"),
  partialImages: given(Flag.Finite("partial-images"), "Stream, with 1 to 3 pictures on the way"),
  complexity: given(Flag.String("complexity"), "How much is computed to plan the image: low, medium or high"),
  moderation: given(Flag.String("moderation"), "low or auto"),
  safetyIdentifier: given(Flag.String("safety-identifier"), "A stable identifier of the end user, such as a hash"),
  user: given(Flag.String("user"), "Your own identifier of the end user, up to 256 characters")
} satisfies { readonly [Name in Exclude<keyof Params, "prompt">]: Flag.Flag<Params[Name]> }

const retryPolicies = [
  ["charge-safe", RetryPolicy.chargeSafe],
  ["eager", RetryPolicy.eager],
  ["none", RetryPolicy.none]
] as const

const call = {
  timeout: given(duration("timeout"), "For the whole reply, or for a stream to begin: 90, 1.5s, 5m. Default: 10m"),
  idleTimeout: given(duration("idle-timeout"), "Between two parts of a reply. Default: 5m"),
  retry: given(
    Flag.ChoiceWithValue("retry", retryPolicies),
    "When to ask again; eager can be charged for more than once. Default: charge-safe"
  )
}

const config = {
  prompt: Argument.String("prompt").pipe(
    Argument.withDescription("What to draw; without it, standard input is read"),
    Argument.optional
  ),
  params: paramFlags,
  call,
  output: given(
    Flag.String("output").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("PATH"),
      Flag.filter(
        (path) => path !== "",
        () => "Expected a file or a folder"
      )
    ),
    "A file, or a folder (with a slash at its end if it is new). Default: named after the prompt"
  ),
  overwrite: yes("overwrite", "Replace what is there"),
  json: yes("json", "Print one JSON object on standard output, and everything else on standard error"),
  emulate: yes("emulate", "Let the emulator draw although there is a key: nothing is sent or charged for"),
  baseUrl
}

/** Params and options that have a flag of their name. */
const flagged = Object.keys({ ...paramFlags, ...call, baseUrl })

type Options = Command.Command.Config.Infer<typeof config>

/** The prompt from the argument, else from standard input unless that is a terminal. */
const promptOf = Effect.fnUntraced(function* (argument: Option.Option<string>) {
  if (Option.isSome(argument)) return argument.value
  const stdio = yield* Stdio.Stdio
  if (yield* stdio.stdinIsTerminal) {
    const errors = [new CliError.MissingArgument({ argument: "prompt" })]
    return yield* new CliError.ShowHelp({ commandPath: ["gradient-images", "generate"], errors })
  }
  const text = yield* stdio.stdin.pipe(Stream.decodeText, Stream.mkString)
  return text.trim()
})

/** Writes what a call that came to nothing had already paid for, says where, and gives the paths. */
const keep = Effect.fnUntraced(function* (images: ReadonlyArray<GeneratedImage.ImageBytes>, files: Files.Files) {
  const { problems, written } = yield* save(images, ({ extension }) => files.keptPathOf(extension))
  for (const problem of problems) yield* Console.error(problem)
  for (const { path } of written) yield* Console.error(`Kept what had arrived: ${path}`)
  return written.map(({ path }) => path)
}, Effect.uninterruptible)

/** Every picture into its file. */
const write = Effect.fnUntraced(function* ({ images }: Generated, files: Files.Files, overwrite: boolean) {
  const placeOf = ({ extension }: GeneratedImage.ImageBytes, index: number) =>
    Effect.succeed(files.pathOf(index, extension))
  const { problems, written } = yield* save(images, placeOf, overwrite)
  if (problems.length > 0) return yield* new WriteError({ problems, paths: written.map(({ path }) => path) })
  return written
})

const run = Effect.fnUntraced(function* (options: Options) {
  const prompt = yield* promptOf(options.prompt)
  const { images, isEmulated, model } = yield* Service.choose(options)
  const progress = yield* Progress.make
  const arrived = new Arrived()
  let kept: ReadonlyArray<string> = []

  const cancelled = Effect.suspend(() =>
    Console.error(isEmulated() ? "Cancelled." : "Cancelled. What the service had begun may be charged for.")
  )
  const generation = Effect.gen(function* () {
    const place = yield* Files.placeOf(prompt, options.output ?? ".")
    const outputFormat = options.params.outputFormat ?? Files.formatOf(place.ext)
    const params: Params = { ...options.params, prompt, outputFormat }
    const files = yield* Files.prepare(place, params, options.overwrite)
    const asking = ask(params, options.call, progress, arrived, model).pipe(
      Effect.provide(images),
      Effect.catchTag("GradientError", (error) => Effect.fail(inFlags(error, flagged))),
      Effect.ensuring(progress.stop),
      Effect.onInterrupt(() => Effect.andThen(cancelled, keep(arrived.images, files))),
      Effect.tapErrorTag("GradientError", ({ reason }) =>
        Effect.map(keep(arrived.finishedAnd(reason.images), files), (paths) => (kept = paths))
      )
    )
    const finish = Effect.fnUntraced(function* (generated: Generated) {
      const written = yield* write(generated, files, options.overwrite)
      const print = options.json ? Summary.printJson : Summary.printLines
      yield* print(written, generated, progress.elapsed(), isEmulated())
    })
    // What has been paid for is written even if the user stops waiting now.
    yield* Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(asking), finish))
  })

  yield* generation.pipe(
    Effect.tapError((error) => {
      if (!options.json) return Effect.void
      const paths = error._tag === "WriteError" ? error.paths : kept
      return Summary.printJsonError(error, paths, progress.elapsed(), isEmulated())
    })
  )
}, Effect.scoped)

export const generate = Command.make("generate", config, run).pipe(
  Command.withDescription(descriptions.generate),
  Command.withExamples([
    { command: 'gradient-images generate "A cute baby sea otter"', description: "Writes a-cute-baby-sea-otter.png" },
    {
      command: 'gradient-images generate "A lighthouse" --partial-images 3 -o lighthouse.webp',
      description: "Shows the picture while it grows"
    }
  ])
)
