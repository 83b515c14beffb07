/** Image generation with DigitalOcean Gradient, as Effects and Streams. Each module is a namespace. */
export * as GradientClient from "./GradientClient.ts"
export * as GradientError from "./GradientError.ts"
export * as ImageGenerateParams from "./ImageGenerateParams.ts"
export * as ImageGenerateResponse from "./ImageGenerateResponse.ts"
export * as Images from "./Images.ts"
export * as ImageGenStreamEvent from "./ImageGenStreamEvent.ts"
export * as RetryPolicy from "./RetryPolicy.ts"
