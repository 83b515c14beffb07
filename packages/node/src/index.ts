/** The Node layers of `@effect-gradient/core`, and functions that write images to files. Each module is a namespace. */
export * as AtomicFile from "./AtomicFile.ts"
export * as ImageFile from "./ImageFile.ts"
export * as NodeImages from "./NodeImages.ts"
