import { Images } from "@effect-gradient/core"
import { ApiError } from "@effect-gradient/gateway"
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"

const Body = Schema.Struct({ prompt: Schema.NonEmptyString })

/**
 * Replies to `POST /image` with the bytes of an image. If the call fails, it replies with the status and the message that
 * the gateway's API has for the failure. Provide it with `HttpRouter.provideRequest(NodeImages.layerFromConfig())`.
 */
export const imageRoute = HttpRouter.add(
  "POST",
  "/image",
  Effect.gen(function* () {
    const { prompt } = yield* HttpServerRequest.schemaBodyJson(Body)
    const response = yield* Images.generate({ prompt, outputFormat: "webp" })
    const [image] = response.data
    return HttpServerResponse.uint8Array(image.bytes, { contentType: image.mediaType })
  }).pipe(
    Effect.catchTag("SchemaError", () =>
      Effect.succeed(ApiError.toResponse(ApiError.make(400, "A prompt is required.")))
    ),
    Effect.tapErrorTag("GradientError", Effect.logError),
    Effect.catchTag("GradientError", (error) => Effect.succeed(ApiError.toResponse(ApiError.fromGradientError(error))))
  )
)
