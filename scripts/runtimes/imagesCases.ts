/**
 * Makes calls of `Images`, and records their results. The calls are made on every runtime, so this file uses only web
 * APIs. The service is `imagesService.ts`. It chooses its reply by the case, whose name is the last part of the base
 * URL's path.
 */
import { type GradientClient, type GradientError, Images } from "@effect-gradient/core"
import { Effect, type Layer, ManagedRuntime, References, Stream } from "effect"

export interface Servers {
  /** The URL of the service, with the path of this runtime. For `runCases` the path also contains the layer. */
  readonly service: string
  /** A URL whose port refuses connections. */
  readonly refused: string
}

/** The result of a case. If it makes two calls, the result is that of the last one made. */
export interface Row {
  readonly name: string
  /** `ok` if the call succeeded, else the tag of the error's reason. */
  readonly outcome: string
  /** The number of images that the call returned, or that the error carries, partial images included. */
  readonly images: number
  /** The number of attempts that the error lists; 1 if the call succeeded. */
  readonly attempts: number
  readonly mayHaveBeenCharged: boolean
}

/** Makes a layer that is tested, with these options of the client. */
export type MakeLayer = (options: GradientClient.Options) => Layer.Layer<Images.Images, GradientError.GradientError>

type Call = Effect.Effect<number, GradientError.GradientError, Images.Images>

const prompt = "A sea otter"

const generate = (options: GradientClient.RequestOptions = {}): Call =>
  Effect.map(Images.generate({ prompt }, options), ({ data }) => data.length)

const stream = (options: GradientClient.RequestOptions = {}): Call =>
  Stream.runCount(Images.generateStream({ prompt, partialImages: 1 }, options))

/** The calls, by the name of their case. Each case gets a new layer. */
const calls: Readonly<Record<string, Call>> = {
  json: generate(),
  stream: stream(),
  slow: generate(),
  busy: generate(),
  refused: generate(),
  redirect: generate(),
  break: generate(),
  // The second call reuses the connection of the first one, and the service closes it. Chromium then sends the
  // request again by itself.
  "break-kept": Effect.andThen(generate(), generate()),
  "break-kept-stream": Effect.andThen(stream(), stream()),
  "break-body": generate(),
  "break-stream": stream(),
  "end-stream": stream(),
  "stall-head": generate({ timeout: "1 second" }),
  "stall-body": generate({ idleTimeout: "1 second" }),
  // The layer stays open for 3 seconds after the caller has left. So a connection that closes before that was closed
  // because the caller left.
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

export const runCases = async (makeLayer: MakeLayer, { refused, service }: Servers): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  for (const [name, call] of Object.entries(calls)) {
    const images = ManagedRuntime.make(makeLayer({ baseUrl: name === "refused" ? refused : `${service}/${name}` }))
    rows.push(await images.runPromise(rowOf(name, call)))
    await images.dispose()
  }
  return rows
}
