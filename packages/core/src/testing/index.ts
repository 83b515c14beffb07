/**
 * Layers to test with, in any test runner and in browsers: an HttpClient that answers from a script, and `Images`
 * without any wire. Each module is a namespace.
 */
export * as RecordedRequest from "./RecordedRequest.ts"
export * as TestImages from "./TestImages.ts"
export * as TestTransport from "./TestTransport.ts"
