/**
 * Runs the library and the emulator in the playground's worker. A message with params starts a call, and each event of
 * the call, and its failure if it fails, is posted to the page.
 */
import { GradientClient, Images } from "@effect-gradient/core"
import { Emulator } from "@effect-gradient/emulator"
import { Effect, Layer, Redacted, References, Schema, Stream } from "effect"

const Request = Schema.Struct({
  prompt: Schema.String,
  size: Schema.String,
  partialImages: Schema.Number,
  fault: Schema.String
})

const layerOf = (fault: string) =>
  Images.layer.pipe(
    Layer.provide(GradientClient.layer({ modelAccessKey: Redacted.make("any") })),
    Layer.provide(Emulator.layerHttpClient({ pace: "700 millis", faults: fault === "" ? [] : [fault] }))
  )

const draw = ({ fault, ...params }: typeof Request.Type) =>
  Images.generateStream(params).pipe(
    Stream.runForEach((event) =>
      Effect.sync(() => postMessage({ tag: event._tag, mediaType: event.mediaType, bytes: event.bytes }))
    ),
    Effect.catchTag("GradientError", ({ mayHaveBeenCharged, message, reason }) =>
      Effect.sync(() => postMessage({ tag: reason._tag, message, mayHaveBeenCharged }))
    ),
    Effect.provide(layerOf(fault)),
    Effect.provideService(References.MinimumLogLevel, "None")
  )

addEventListener("message", ({ data }: MessageEvent<unknown>) => {
  const call = Effect.flatMap(Schema.decodeUnknownEffect(Request)(data), draw)
  void Effect.runPromise(call).catch((error: unknown) => postMessage({ tag: "Error", message: String(error) }))
})
