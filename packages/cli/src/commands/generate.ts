/** `gradient-images generate`: generates images from a prompt and writes them into files. */
import {
  type GeneratedImage,
  GradientError,
  ImageGenerateParams,
  type Images,
  RetryPolicy
} from "@effect-gradient/core"
import { Argument, Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { baseUrl, duration, given, inFlags, yes } from "../flags.ts"
import { Arrived, ask, type Display, type Generated } from "../generate/requestImages.ts"
import { checkDestination, placeOf } from "../generate/destination.ts"
import { contradictionOf, makeTargets, type Targets } from "../generate/targets.ts"
import { promptOf } from "../generate/prompt.ts"
import { save, WriteError } from "../generate/writeImages.ts"
import * as ImagePreview from "../output/imagePreview.ts"
import { quietly } from "../output/quietly.ts"
import * as Progress from "../output/progress.ts"
import * as Summary from "../output/summary.ts"
import * as Service from "../service.ts"
import { exporting } from "../telemetry/environment.ts"
import { descriptions } from "./descriptions.ts"

type Params = ImageGenerateParams.ImageGenerateParamsStreaming

/** One flag for every param except the prompt. */
const paramFlags = {
  model: given(
    Flag.String("model"),
    `The model. Default: GRADIENT_IMAGE_MODEL, else ${ImageGenerateParams.defaultModel}`
  ),
  n: given(Flag.Finite("n"), "The number of images, 1 to 10. Default: 1"),
  size: given(Flag.String("size"), "Width and height in pixels, such as 1024x1024, 1536x1024 or 1024x1536, or auto"),
  quality: given(
    Flag.String("quality"),
    "The quality of the image: low, medium, high (takes minutes), xhigh, max or auto"
  ),
  background: given(Flag.String("background"), "The background: transparent (png and webp), opaque or auto"),
  outputFormat: given(
    Flag.String("output-format"),
    "The format, such as png, webp or jpeg. Default: the one that the extension of --output names, else png"
  ),
  outputCompression: given(
    Flag.Finite("output-compression"),
    "The quality of the compression from 0 to 100, for webp and jpeg"
  ),
  partialImages: given(
    Flag.Finite("partial-images"),
    "Stream the reply, and request this many partial images before each finished image: 1 to 3 for gpt-image models"
  ),
  complexity: given(
    Flag.String("complexity"),
    "How much computation is spent on planning the image: low, medium or high"
  ),
  moderation: given(Flag.String("moderation"), "How strict the moderation is: low or auto"),
  safetyIdentifier: given(Flag.String("safety-identifier"), "A stable identifier of the end user, such as a hash"),
  user: given(Flag.String("user"), "Your own identifier of the end user, up to 256 characters")
} satisfies { readonly [Name in Exclude<keyof Params, "prompt">]: Flag.Flag<Params[Name]> }

const retryPolicies = [
  ["charge-safe", RetryPolicy.chargeSafe],
  ["eager", RetryPolicy.eager],
  ["none", RetryPolicy.none]
] as const

const call = {
  timeout: given(
    duration("timeout"),
    "The maximum time from sending a request until its reply is complete, or until a stream begins, in seconds or with a unit: 90, 1.5s, 5m. Default: 10m"
  ),
  idleTimeout: given(duration("idle-timeout"), "The maximum time without data within a reply. Default: 5m"),
  retry: given(
    Flag.ChoiceWithValue("retry", retryPolicies),
    "When to retry; with eager, a call may be charged more than once. Default: charge-safe"
  )
}

const config = {
  prompt: Argument.String("prompt").pipe(
    Argument.withDescription(
      "What to draw, or - to read it from standard input. If it is absent, standard input is read unless it is a terminal"
    ),
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
    "A file, a folder (end a new one with a slash), or - for standard output. Default: a file named after the prompt"
  ),
  overwrite: yes("overwrite", "Replace files that exist"),
  journal: given(
    Flag.String("journal"),
    "The journal, which records the call so that it is paid for at most once: a file, or postgres://..."
  ),
  store: given(
    Flag.String("store"),
    "The place where the images of recorded calls are kept: a folder, or s3://bucket/prefix"
  ),
  key: given(
    Flag.String("key"),
    "The key of the recorded call. Repeat the call with the same key and params to get its images without paying again"
  ),
  json: yes("json", "Print one JSON object on standard output, and everything else on standard error"),
  emulate: yes("emulate", "Use the emulator even if a key is set, so that nothing is charged for"),
  baseUrl
}

/** The params and options that have a flag with the same name. */
const flagged = Object.keys({ ...paramFlags, ...call, baseUrl })

type Options = Command.Command.Config.Infer<typeof config>

const report = (lines: ReadonlyArray<string>) => Effect.forEach(lines, (line) => Console.error(line), { discard: true })

/** Writes images of a call that failed or was cancelled. Prints and returns their paths. */
const keep = Effect.fnUntraced(function* (images: ReadonlyArray<GeneratedImage.ImageBytes>, { kept }: Targets) {
  const { problems, written } = yield* save(images, kept)
  yield* report([...problems, ...written.map(({ path }) => `Saved an image that had arrived: ${path}`)])
  return written.map(({ path }) => path)
}, Effect.uninterruptible)

const write = Effect.fnUntraced(function* ({ images }: Generated, { finished }: Targets) {
  const { problems, written } = yield* save(images, finished)
  if (problems.length > 0) return yield* new WriteError({ problems, paths: written.map(({ path }) => path) })
  yield* report(written.flatMap(({ image, path }) => contradictionOf(image, path) ?? []))
  return written
})

const cancelled = (mayHaveBeenCharged: boolean) =>
  Console.error(
    mayHaveBeenCharged ? "Cancelled. The service may still charge for the images that were requested." : "Cancelled."
  )

/** The call is durable if the journal, the store and the key are all set. It is an error to set only some of them. */
const recording = Effect.fnUntraced(function* <E, R>(
  { journal, key, store }: Options,
  images: Layer.Layer<Images.Images, E, R>
) {
  if (journal === undefined && key === undefined && store === undefined) return images
  if (journal !== undefined && key !== undefined && store !== undefined) {
    const { around } = yield* Effect.promise(() => import("../durable.ts"))
    return around(images, { journal, store })
  }
  return yield* GradientError.fromReason(
    new GradientError.InvalidParamsError({ description: "--journal, --store and --key must be set together" })
  )
})

/**
 * Requests the images. If the call fails or is cancelled, the finished images that have arrived, and often the latest
 * partial one, are written to files.
 */
const askAndKeep = Effect.fnUntraced(function* (
  options: Options,
  params: Params,
  targets: Targets,
  display: Display,
  arrived: Arrived
) {
  const { images, isEmulated, model } = yield* Service.choose(options)
  const recorded = yield* recording(options, images)
  arrived.isEmulated = isEmulated
  return yield* ask(params, { ...options.call, idempotencyKey: options.key }, display, arrived, model).pipe(
    quietly,
    Effect.provide(recorded),
    Effect.catchTag("GradientError", (error) => Effect.fail(inFlags(error, flagged))),
    Effect.ensuring(display.progress.stop),
    Effect.onInterrupt(() =>
      Effect.andThen(cancelled(arrived.mayHaveBeenCharged && !isEmulated()), keep(arrived.images, targets))
    ),
    Effect.tapErrorTag("GradientError", ({ reason }) =>
      Effect.map(keep(arrived.finishedAnd(reason.images), targets), (paths) => (arrived.kept = paths))
    )
  )
})

const draw = Effect.fnUntraced(function* (options: Options, display: Display, arrived: Arrived) {
  const { json, output = ".", overwrite, params } = options
  const prompt = yield* promptOf(options.prompt)
  const place = yield* placeOf(prompt, output)
  const outputFormat = yield* checkDestination(place, { json, overwrite, params })
  const targets = yield* makeTargets(place, { ...params, outputFormat }, overwrite)
  const asked: Params = { ...params, prompt, outputFormat }
  const finish = Effect.fnUntraced(function* (generated: Generated) {
    const written = yield* write(generated, targets)
    const print = json ? Summary.printJson : Summary.printLines
    yield* print(written, generated, display.progress.elapsed(), arrived.isEmulated())
  })
  // Once the images have arrived, they are written even if the user presses Ctrl-C, because they may be paid for.
  yield* Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(askAndKeep(options, asked, targets, display, arrived)), finish)
  )
})

const run = Effect.fnUntraced(
  function* (options: Options) {
    const progress = yield* Progress.make
    const gallery = yield* ImagePreview.makeGallery(!options.json && options.output !== "-", progress.isLive)
    const arrived = new Arrived()
    arrived.isEmulated = () => options.emulate
    yield* draw(options, { gallery, progress }, arrived).pipe(
      Effect.tapError((error) => {
        if (!options.json || error._tag === "ShowHelp") return Effect.void
        const paths = error._tag === "WriteError" ? error.paths : arrived.kept
        return Summary.printJsonError(error, paths, progress.elapsed(), arrived.isEmulated())
      })
    )
  },
  exporting,
  Effect.scoped
)

export const generate = Command.make("generate", config, run).pipe(
  Command.withDescription(descriptions.generate),
  Command.withExamples([
    { command: 'gradient-images generate "A cute baby sea otter"', description: "Writes a-cute-baby-sea-otter.png" },
    {
      command: 'gradient-images generate "A lighthouse" --partial-images 3 -o lighthouse.webp',
      description: "Shows partial images until the image is finished"
    }
  ])
)
