/**
 * Runs a program in a page of Chromium. The page has the same origin as the service, because a page usually has the
 * same origin as its gateway.
 */
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { URL } from "node:url"
import * as Chromium from "../../packages/browser/test/support/Chromium.ts"

export { isAvailable } from "../../packages/browser/test/support/Chromium.ts"

/** Opens a page that imports the bundle, and returns the bundle's export `result` as JSON. */
export const resultInPage = (project: string, bundle: string, service: string): Promise<string> =>
  Effect.gen(function* () {
    const page = yield* Chromium.openPage()
    const { origin } = new URL(service)
    return yield* Effect.promise(async () => {
      await page.route(`${origin}/page`, (route) =>
        route.fulfill({ contentType: "text/html", body: "<title>Images</title>" })
      )
      await page.route(`${origin}/script.js`, (route) =>
        route.fulfill({ contentType: "text/javascript", body: readFileSync(join(project, bundle), "utf8") })
      )
      await page.goto(`${origin}/page`)
      return page.evaluate<string>("import('/script.js').then(({ result }) => result).then(JSON.stringify)")
    })
  }).pipe(Effect.scoped, Effect.provide(Chromium.layer), Effect.timeout("2 minutes"), Effect.runPromise)
