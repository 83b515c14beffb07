/** For tests on Node: records real replies and replays them. Each module is a namespace. */
export * as Cassette from "./Cassette.ts"
