/** Node layers for `@effect-gradient/core`, and images as files. Each module is a namespace. */
export * as AtomicFile from "./AtomicFile.ts"
export * as ImageFile from "./ImageFile.ts"
export * as NodeImages from "./NodeImages.ts"
