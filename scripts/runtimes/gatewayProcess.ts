/**
 * The gateway's cases as a program for Node, Bun and Deno: `gatewayProcess.ts <upstream url>` prints the results as
 * JSON in its last line.
 */
import { argv, exit } from "node:process"
import { runCases } from "./gatewayCases.ts"
import { makeHandler } from "./gatewayHandler.ts"

const upstream = argv[2] ?? ""
console.log(JSON.stringify(await runCases(makeHandler(upstream), upstream)))
exit()
