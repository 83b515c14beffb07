/**
 * Layers for tests, in any test runner and in browsers: an HttpClient that replies from a script, and `Images` made
 * from your own functions or with fixed images. Each module is exported as a namespace.
 */
export * as RecordedRequest from "./RecordedRequest.ts"
export * as TestImages from "./TestImages.ts"
export * as TestTransport from "./TestTransport.ts"
