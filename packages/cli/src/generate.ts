/**
 * `gradient-images generate`: from a prompt to files.
 */
import { GradientClient, ImageGenerateParams, RetryPolicy } from "@effect-gradient/core"
import type { GradientError } from "@effect-gradient/core"
import { ImageFile } from "@effect-gradient/node"
import { Argument, CliError, Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { ask } from "./ask.ts"
import * as Files from "./files.ts"
import { duration, given, yes } from "./flags.ts"
import * as Progress from "./progress.ts"
import * as Service from "./service.ts"
import * as Summary from "./summary.ts"

type Params = ImageGenerateParams.ImageGenerateParams

/** A flag for every param but the prompt. */
const paramFlags = {
  model: given(Flag.String("model"), `The model that draws. Default: ${ImageGenerateParams.defaultModel}`),
  n: given(Flag.Finite("n"), "How many images, 1 to 10; gpt-image-1 makes 1. Default: 1"),
  size: given(Flag.String("size"), "Pixels: 1024x1024, 1536x1024, 1024x1536 or auto"),
  quality: given(Flag.String("quality"), "low, medium, high (takes minutes) or auto"),
  background: given(Flag.String("background"), "transparent (png and webp), opaque or auto"),
  outputFormat: given(Flag.String("output-format"), "png, webp or jpeg. Default: as --output ends, else png"),
  outputCompression: given(Flag.Finite("output-compression"), "Quality from 0 to 100, for webp and jpeg"),
  partialImages: given(Flag.Finite("partial-images"), "Stream, with 1 to 3 pictures on the way"),
  moderation: given(Flag.String("moderation"), "low or auto"),
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
    Flag.String("output").pipe(Flag.withAlias("o"), Flag.withMetavar("PATH")),
    "A file, or a folder with a slash at its end. Default: named after the prompt"
  ),
  overwrite: yes("overwrite", "Replace what is there"),
  json: yes("json", "Print one JSON object on standard output, and everything else on standard error"),
  emulate: yes("emulate", "Let the emulator draw although there is a key: nothing is sent or charged for"),
  baseUrl: given(Flag.String("base-url"), `Default: GRADIENT_BASE_URL, else ${GradientClient.defaultBaseUrl}`)
}

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

/** Writes what a failed call had already paid for, says where, and gives the paths. */
const keep = ({ reason }: GradientError.GradientError, files: Files.Files) =>
  Effect.forEach(reason.images, (image, index) =>
    Effect.tap(ImageFile.write(image, files.keptPathOf(index), { overwrite: true }), (path) =>
      Console.error(`Kept what had arrived: ${path}`)
    )
  ).pipe(Effect.catchTag("PlatformError", ({ message }) => Effect.as(Console.error(message), [])))

const run = Effect.fnUntraced(function* (options: Options) {
  const prompt = yield* promptOf(options.prompt)
  const outputFormat = options.params.outputFormat ?? Files.formatOf(options.output)
  const params: Params = { ...options.params, prompt, outputFormat }
  const { images, isEmulated } = yield* Service.choose(options)
  const progress = yield* Progress.make
  let kept: ReadonlyArray<string> = []

  const generation = Effect.gen(function* () {
    const files = yield* Files.prepare(params, options.output, options.overwrite)
    const generated = yield* ask(params, options.call, progress).pipe(
      Effect.provide(images),
      Effect.tapError((error) => Effect.flatMap(keep(error, files), (paths) => Effect.sync(() => (kept = paths))))
    )
    const written = yield* Effect.forEach(generated.images, (image, index) =>
      Effect.map(ImageFile.write(image, files.pathOf(index), options), (path) => ({ image, path }))
    )
    return { generated, written }
  })

  const { generated, written } = yield* generation.pipe(
    Effect.onInterrupt(() => Console.error("Cancelled. What the service had begun may be charged for.")),
    Effect.tapError((error) =>
      options.json ? Summary.printJsonError(error, kept, progress.elapsed(), isEmulated()) : Effect.void
    )
  )
  yield* options.json
    ? Summary.printJson(written, generated, progress.elapsed(), isEmulated())
    : Summary.printLines(written, generated, progress.elapsed(), isEmulated())
}, Effect.scoped)

export const generate = Command.make("generate", config, run).pipe(
  Command.withDescription("Generates images from a prompt, shows them and writes them into files."),
  Command.withExamples([
    { command: 'gradient-images generate "A cute baby sea otter"', description: "Writes a-cute-baby-sea-otter.png" },
    {
      command: 'gradient-images generate "A lighthouse" --partial-images 3 -o lighthouse.webp',
      description: "Shows the picture while it grows"
    }
  ])
)
