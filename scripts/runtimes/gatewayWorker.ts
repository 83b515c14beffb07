/** On workerd: each request runs the cases and gets the rows. The handler is built at module scope, as in production. */
import { runCases } from "./gatewayCases.ts"
import { makeHandler } from "./gatewayHandler.ts"

/** The URL of the service, which the bundler puts in. */
declare const UPSTREAM: string

const handler = makeHandler(UPSTREAM)

// oxlint-disable-next-line import/no-default-export -- the form that workerd asks for
export default { fetch: async () => Response.json(await runCases(handler, UPSTREAM)) }
