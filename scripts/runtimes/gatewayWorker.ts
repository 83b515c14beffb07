/**
 * The gateway's cases as a worker for workerd: each request runs all cases, and the response has their results. The
 * gateway's handler is made when the module is loaded.
 */
import { runCases } from "./gatewayCases.ts"
import { makeHandler } from "./gatewayHandler.ts"

/** The URL of the upstream. The bundler replaces this constant with its value. */
declare const ARGUMENTS: readonly [upstream: string]

const [upstream] = ARGUMENTS
const handler = makeHandler(upstream)

// oxlint-disable-next-line import/no-default-export -- workerd requires it
export default { fetch: async () => Response.json(await runCases(handler, upstream)) }
