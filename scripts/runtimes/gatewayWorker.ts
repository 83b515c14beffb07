/** On workerd: each request runs the cases and gets the rows. The handler is built at module scope, as in production. */
import { runCases } from "./gatewayCases.ts"
import { makeHandler } from "./gatewayHandler.ts"

/** What the bundler puts in: the URL of the service. */
declare const ARGUMENTS: readonly [upstream: string]

const [upstream] = ARGUMENTS
const handler = makeHandler(upstream)

// oxlint-disable-next-line import/no-default-export -- the form that workerd asks for
export default { fetch: async () => Response.json(await runCases(handler, upstream)) }
