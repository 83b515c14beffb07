/**
 * The calls of `imagesCases.ts` as a worker for workerd: each request makes all calls, and the response has their
 * results.
 */
import { runImages } from "./imagesRun.ts"

/** The URLs of the service and of the server that refuses. The bundler replaces this constant with its value. */
declare const ARGUMENTS: readonly [service: string, refused: string]

const [service, refused] = ARGUMENTS

// oxlint-disable-next-line import/no-default-export -- workerd requires it
export default { fetch: async () => Response.json(await runImages({ refused, service })) }
