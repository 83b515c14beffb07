/** Serves the images endpoint of DigitalOcean Gradient on your own server. Each module is a namespace. */
export * as ApiError from "./ApiError.ts"
export * as Attempts from "./Attempts.ts"
export * as Callers from "./Callers.ts"
export * as ImagesApi from "./ImagesApi.ts"
export * as ImagesGateway from "./ImagesGateway.ts"
