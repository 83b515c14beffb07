/** The worker for workerd: a request runs the cases, and the response is the rows. The handler is made at module scope. */
import { runCases } from "./gatewayCases.ts"
import { makeHandler } from "./gatewayHandler.ts"

/** The upstream URL. The bundler replaces this constant. */
declare const ARGUMENTS: readonly [upstream: string]

const [upstream] = ARGUMENTS
const handler = makeHandler(upstream)

// oxlint-disable-next-line import/no-default-export -- workerd requires it
export default { fetch: async () => Response.json(await runCases(handler, upstream)) }
