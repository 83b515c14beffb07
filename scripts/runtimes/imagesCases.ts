/**
 * Calls of `Images`, with what came of each. They run on every runtime, so they use only what the web has. The service is
 * `imagesService.ts`: the last part of the base URL's path names the case, and so what the service does.
 */
import { type GradientClient, type GradientError, Images } from "@effect-gradient/core"
import { Effect, type Layer, ManagedRuntime, References, Stream } from "effect"

/** The servers that the calls go to. */
export interface Servers {
  /** The URL of the service, with the path of this run. */
  readonly service: string
  /** A port that nobody listens on. */
  readonly refused: string
}

/** What came of a call. */
export interface Row {
  readonly name: string
  /** `ok`, or the reason of the failure. */
  readonly outcome: string
  /** How many images were given, or how many the error holds. */
  readonly images: number
  /** How many attempts the error lists; 1 if the call succeeded. */
  readonly attempts: number
  readonly mayHaveBeenCharged: boolean
}

/** A layer to be tried. */
export type MakeLayer = (options: GradientClient.Options) => Layer.Layer<Images.Images, GradientError.GradientError>

type Call = Effect.Effect<number, GradientError.GradientError, Images.Images>

const prompt = "A sea otter"

const generate = (options: GradientClient.RequestOptions = {}): Call =>
  Effect.map(Images.generate({ prompt }, options), ({ data }) => data.length)

const stream = (options: GradientClient.RequestOptions = {}): Call =>
  Stream.runCount(Images.generateStream({ prompt, partialImages: 1 }, options))

/** The calls by the name of their case. Each case has a layer of its own. */
const calls: Readonly<Record<string, Call>> = {
  json: generate(),
  stream: stream(),
  slow: generate(),
  busy: generate(),
  refused: generate(),
  redirect: generate(),
  break: generate(),
  // A connection that was kept after a first call: some runtimes send the second request again by themselves.
  "break-kept": Effect.andThen(generate(), generate()),
  "break-kept-stream": Effect.andThen(stream(), stream()),
  "break-body": generate(),
  "break-stream": stream(),
  "end-stream": stream(),
  "stall-head": generate({ timeout: "1 second" }),
  "stall-body": generate({ idleTimeout: "1 second" }),
  // The layer stays open for some seconds, so that it is not its end that closes the connection.
  leave: Images.generateStream({ prompt, partialImages: 1 }).pipe(
    Stream.take(1),
    Stream.runCount,
    Effect.tap(Effect.sleep("3 seconds"))
  )
}

const rowOf = (name: string, call: Call) =>
  call.pipe(
    Effect.map((images): Row => ({ name, outcome: "ok", images, attempts: 1, mayHaveBeenCharged: true })),
    Effect.catch((error) =>
      Effect.succeed<Row>({
        name,
        outcome: error.reason._tag,
        images: error.reason.images.length,
        attempts: error.attempts.length,
        mayHaveBeenCharged: error.mayHaveBeenCharged
      })
    ),
    Effect.provideService(References.MinimumLogLevel, "None")
  )

/** Makes every call in turn. */
export const runCases = async (makeLayer: MakeLayer, { refused, service }: Servers): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  for (const [name, call] of Object.entries(calls)) {
    const images = ManagedRuntime.make(makeLayer({ baseUrl: name === "refused" ? refused : `${service}/${name}` }))
    rows.push(await images.runPromise(rowOf(name, call)))
    await images.dispose()
  }
  return rows
}
