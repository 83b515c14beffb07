/**
 * Generates images with DigitalOcean Gradient, with Effects and Streams. Each module in this index is exported as a
 * namespace: `Images.generate`.
 */
export * as Attempt from "./Attempt.ts"
export * as GeneratedImage from "./GeneratedImage.ts"
export * as GradientClient from "./GradientClient.ts"
export * as GradientConfig from "./GradientConfig.ts"
export * as GradientError from "./GradientError.ts"
export * as ImageGenerateParams from "./ImageGenerateParams.ts"
export * as ImageGenerateResponse from "./ImageGenerateResponse.ts"
export * as Images from "./Images.ts"
export * as ImageGenStreamEvent from "./ImageGenStreamEvent.ts"
export * as ImageStream from "./ImageStream.ts"
export * as Models from "./Models.ts"
export * as RateLimit from "./RateLimit.ts"
export * as RetryPolicy from "./RetryPolicy.ts"
