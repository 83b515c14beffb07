/** For tests in Node: real exchanges, recorded once and replayed. Each module is a namespace. */
export * as Cassette from "./Cassette.ts"
