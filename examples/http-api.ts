import { GeneratedImage, Images } from "@effect-gradient/core"
import { ImageStore } from "@effect-gradient/durable"
import { ApiError } from "@effect-gradient/gateway"
import { Effect, Layer, Option, Schema } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"

const Name = Schema.String.check(Schema.isUUID())

/** `POST /images` makes an image and replies with its URL. `GET /images/<name>` replies with the image. */
export const Api = HttpApi.make("album").add(
  HttpApiGroup.make("images").add(
    HttpApiEndpoint.post("create", "/images", {
      payload: Schema.Struct({ prompt: Schema.NonEmptyString }),
      success: Schema.Struct({ url: Schema.String }).pipe(HttpApiSchema.status(201)),
      error: ApiError.errors
    }),
    HttpApiEndpoint.get("show", "/images/:name", {
      params: { name: Name },
      success: Schema.Uint8Array.pipe(HttpApiSchema.asUint8Array()),
      error: ApiError.errors
    })
  )
)

const create = Effect.fnUntraced(function* ({ payload }: { readonly payload: { readonly prompt: string } }) {
  const store = yield* ImageStore.ImageStore
  const response = yield* Images.generate(payload).pipe(Effect.mapError(ApiError.fromGradientError))
  const name = crypto.randomUUID()
  yield* store.put(name, response.data[0].bytes).pipe(Effect.orDie)
  return { url: `/images/${name}` }
})

const show = Effect.fnUntraced(function* ({ params }: { readonly params: { readonly name: string } }) {
  const store = yield* ImageStore.ImageStore
  const bytes = yield* store.get(params.name).pipe(Effect.orDie)
  if (Option.isNone(bytes)) return yield* Effect.fail(ApiError.make(404, "There is no such image."))
  const { mediaType } = new GeneratedImage.ImageBytes({ bytes: bytes.value })
  const headers = { "cache-control": "public, max-age=31536000, immutable" }
  return HttpServerResponse.uint8Array(bytes.value, { contentType: mediaType, headers })
})

/**
 * Serves the endpoints of `Api`. Provide `Images` and an `ImageStore`, such as `ImageStore.layerFolder("images")`, with
 * `HttpRouter.provideRequest`.
 */
export const album = HttpApiBuilder.layer(Api).pipe(
  Layer.provide(
    HttpApiBuilder.group(Api, "images", (handlers) => handlers.handle("create", create).handle("show", show))
  )
)
