/**
 * `gradient-images batch`: generates the images for many requests in a file, pays for each request at most once unless
 * you allow more, and can share the work among machines.
 */
import { GradientError } from "@effect-gradient/core"
import { DurableImages, ImageBatch } from "@effect-gradient/durable"
import { ImageFile } from "@effect-gradient/node"
import { Argument, Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { administration, around, type Place } from "../durable.ts"
import { baseUrl, given, whole, yes } from "../flags.ts"
import { BatchProgress, lineOf } from "../output/batchProgress.ts"
import * as Signals from "../output/signals.ts"
import * as Service from "../service.ts"
import { exporting } from "../telemetry/environment.ts"
import { descriptions } from "./descriptions.ts"

/** The batch has ended, but some of its requests failed or are in doubt. */
class BatchIncompleteError extends Schema.TaggedError<BatchIncompleteError>(
  "@effect-gradient/cli/BatchIncompleteError"
)("BatchIncompleteError", { lines: Schema.Array(Schema.String) }) {
  override readonly [Runtime.errorExitCode] = 1

  override get message(): string {
    return this.lines.join("\n")
  }
}

const place = {
  store: Flag.String("store").pipe(
    Flag.withDescription("The place where the images are kept: a folder, or s3://bucket/prefix")
  ),
  journal: given(
    Flag.String("journal"),
    "The journal, which records the requests: a file, or postgres://... Required if --store is a bucket. Default: journal.sqlite in the folder that --store names"
  )
}

const runner = {
  concurrency: Flag.String("concurrency").pipe(
    whole(1, 10_000),
    Flag.withDescription("The maximum number of requests that this process has under way at once. Default: 4"),
    Flag.withDefault(4)
  ),
  json: yes("json", "Print the progress on standard output as JSON objects, each on its own line"),
  emulate: yes("emulate", "Use the emulator even if a key is set, so that nothing is charged for"),
  baseUrl
}

const name = Argument.String("batch").pipe(Argument.withDescription("The name of the batch"))

const refuse = (description: string) => GradientError.fromReason(new GradientError.InvalidParamsError({ description }))

/**
 * Returns where the journal and the store are. By default the journal is a file in the store's folder, which is made if
 * it does not exist. If the store is a bucket, --journal is required.
 */
const placeOf = Effect.fnUntraced(function* ({
  journal,
  store
}: {
  readonly journal: string | undefined
  readonly store: string
}) {
  if (journal !== undefined) return { journal, store }
  if (store.includes("://")) return yield* refuse(`With --store ${store}, --journal is required`)
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  yield* Effect.catch(fs.makeDirectory(store, { recursive: true }), (cause) =>
    refuse(`--store must be a folder that can be made (got ${store}): ${cause.message}`)
  )
  return { journal: path.join(store, "journal.sqlite"), store }
})

const mostNamed = 20

/**
 * Returns one line for each request with this status: `free` (it failed) or `in-doubt`. The line has the request's key
 * and the journal's note, such as the reason of the failure. At most `mostNamed` requests are listed; a last line
 * counts the others.
 */
const missing = Effect.fnUntraced(function* (batch: string, status: "free" | "in-doubt", count: number) {
  const found = yield* DurableImages.list({ prefix: `${batch}/`, status }).pipe(
    Stream.filter(({ note }) => status === "in-doubt" || note !== undefined),
    Stream.take(mostNamed),
    Stream.runCollect
  )
  const more = count > found.length ? [`  and ${count - found.length} more`] : []
  return [...found.map(({ key = "", note = "no outcome" }) => `  ${key}: ${note}`), ...more]
})

/** Fails if requests failed or are in doubt. The error's message lists up to `mostNamed` of each, and what to do. */
const finish = Effect.fnUntraced(function* ({ batch, failed, inDoubt }: ImageBatch.Progress, at: Place) {
  if (failed === 0 && inDoubt === 0) return
  // The URL of a PostgreSQL database can contain a password, so it is not shown.
  const journal = at.journal.includes("://") ? "postgres://..." : at.journal
  const lines = [
    ...(failed > 0
      ? [
          `${failed} requests failed, and were not charged for. To send them again, run gradient-images batch run again. The failed requests:`,
          ...(yield* missing(batch, "free", failed))
        ]
      : []),
    ...(inDoubt > 0
      ? [
          `${inDoubt} requests are in doubt: they may have been charged for, and their outcome is unknown. To pay for them again, run ` +
            `gradient-images generations resolve --repeat --in-doubt --at-most IMAGES --journal ${journal} --store ${at.store}, ` +
            "which also decides about other generations in doubt in this journal, then run the same command again. The requests of this batch that are in doubt:",
          ...(yield* missing(batch, "in-doubt", inDoubt))
        ]
      : [])
  ]
  return yield* new BatchIncompleteError({ lines })
})

interface RunnerOptions {
  readonly baseUrl: string | undefined
  readonly emulate: boolean
  readonly journal: string | undefined
  readonly json: boolean
  readonly store: string
}

/** Runs a batch in this process and shows its progress. At the end it fails if requests failed or are in doubt. */
const watch = <E, R>(options: RunnerOptions, progress: Stream.Stream<ImageBatch.Progress, E, R>) =>
  Effect.gen(function* () {
    const { images } = yield* Service.choose(options)
    const at = yield* placeOf(options)
    const shown = new BatchProgress()
    const show = (now: ImageBatch.Progress) => (options.json ? Console.log(JSON.stringify(now)) : shown.show(now))
    yield* progress.pipe(
      Stream.tap(show),
      Stream.runLast,
      Effect.ensuring(shown.stop),
      Effect.onInterrupt(() =>
        Effect.andThen(
          Signals.endingAtOnce,
          Console.error("Waiting for the requests that were sent. Ctrl-C again ends at once and leaves them in doubt.")
        )
      ),
      Effect.flatMap((last) =>
        Option.isNone(last)
          ? Effect.void
          : Effect.andThen(options.json ? Effect.void : Console.error(shown.lineOf(last.value)), finish(last.value, at))
      ),
      Effect.provide(around(images, at))
    )
  }).pipe(exporting)

const run = Command.make(
  "run",
  {
    file: Argument.String("file").pipe(
      Argument.withDescription('JSON Lines: on each line a request with an id, {"id":"1","prompt":"A sea otter"}')
    ),
    batch: given(Flag.String("batch"), "The name of the batch. Default: the name of the file without its extension"),
    ...place,
    ...runner
  },
  Effect.fnUntraced(function* ({ batch, concurrency, file, ...options }) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    if (!(yield* fs.exists(file))) return yield* refuse(`the file ${file} does not exist`)
    const lines = fs.stream(file).pipe(Stream.decodeText(), Stream.splitLines)
    yield* watch(options, ImageBatch.run({ name: batch ?? path.parse(file).name, concurrency, lines }))
  })
).pipe(
  Command.withDescription("Sends the requests in a file. If the command was stopped, run it again to continue."),
  Command.withExamples([
    {
      command: "gradient-images batch run otters.jsonl --store images",
      description: "Keeps the images and the record of requests in the folder images"
    },
    {
      command: "gradient-images batch run otters.jsonl --store s3://bucket/otters --journal postgres://host/db",
      description:
        "Shares the batch with other machines, which run `batch worker otters` with the same --store and --journal"
    }
  ])
)

const worker = Command.make(
  "worker",
  { name, ...place, ...runner },
  Effect.fnUntraced(function* ({ concurrency, name: batch, ...options }) {
    yield* watch(options, ImageBatch.worker({ name: batch, concurrency }))
  })
).pipe(Command.withDescription("Helps with a batch that `batch run` has begun, from another process or machine."))

const status = Command.make(
  "status",
  { name, ...place, json: runner.json },
  Effect.fnUntraced(function* ({ json, name: batch, ...options }) {
    const at = yield* placeOf(options)
    const now = yield* Effect.provide(ImageBatch.status(batch), administration(at))
    yield* Console.log(json ? JSON.stringify(now) : lineOf(now))
  })
).pipe(Command.withDescription("Shows the progress of a batch. It sends no request to the service."))

/** Returns the file name for an id. It has no dots, because the text after a dot would be taken for an extension. */
const fileOf = (id: string) => encodeURIComponent(id).replaceAll(".", "%2E")

const exportAll = Command.make(
  "export",
  {
    name,
    ...place,
    to: Flag.String("to").pipe(
      Flag.withDescription("The folder to write into. Each file is named after the id of its request")
    )
  },
  Effect.fnUntraced(function* ({ name: batch, to, ...options }) {
    const at = yield* placeOf(options)
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    yield* fs.makeDirectory(to, { recursive: true })
    const write = Effect.fnUntraced(function* (key: string) {
      const { response } = yield* DurableImages.join(key)
      const { data } = yield* response
      const id = fileOf(key.slice(batch.length + 1))
      yield* Effect.forEach(data, (image, index) =>
        ImageFile.write(image, path.join(to, data.length === 1 ? id : `${id}-${index + 1}`), { overwrite: true })
      )
      return data.length
    }, Effect.scoped)
    const written = yield* DurableImages.list({ prefix: `${batch}/`, status: "done" }).pipe(
      Stream.mapEffect(({ key }) => (key === undefined ? Effect.succeed(0) : write(key)), { concurrency: 4 }),
      Stream.runFold(
        () => 0,
        (sum, count) => sum + count
      ),
      Effect.provide(administration(at))
    )
    yield* Console.log(`${written} images were written to ${to}.`)
  })
).pipe(Command.withDescription("Writes the images of a batch into files. It sends no request to the service."))

export const batch = Command.make("batch").pipe(
  Command.withDescription(descriptions.batch),
  Command.withSubcommands([run, worker, status, exportAll])
)
