/** The worker for workerd: a request makes the calls, and the response is their results. */
import { runImages } from "./imagesRun.ts"

/** The bundler replaces this constant. */
declare const ARGUMENTS: readonly [service: string, refused: string]

const [service, refused] = ARGUMENTS

// oxlint-disable-next-line import/no-default-export -- workerd requires it
export default { fetch: async () => Response.json(await runImages({ refused, service })) }
