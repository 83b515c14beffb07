/** Browser layers for `@effect-gradient/core`, and images in pages. Each module is a namespace. */
export * as BrowserImages from "./BrowserImages.ts"
export * as ImageAtom from "./ImageAtom.ts"
export * as ImageUrl from "./ImageUrl.ts"
export * as ImageView from "./ImageView.ts"
export * as Reconnect from "./Reconnect.ts"
