import { isBuiltin } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { build } from "rolldown"

/** The modules that are bundled: those of this workspace, and those of Effect. */
const isBundled = (source: string) => /^(\.|effect$|effect\/|@effect\/|@effect-gradient\/)/.test(source)

/**
 * Bundles programs into `<folder>/out`. Tests start them many times, and a process that loads a few files starts sooner
 * than one that loads hundreds of modules. No code is left out, so that the program does the same. Other packages
 * are loaded from where they are.
 */
export const bundle = (folder: string, programs: Readonly<Record<string, string>>) =>
  build({
    input: { ...programs },
    platform: "node",
    treeshake: false,
    plugins: [
      {
        name: "other packages",
        async resolveId(source, importer) {
          if (importer === undefined || isBundled(source) || isBuiltin(source)) return null
          const resolved = await this.resolve(source, importer, { skipSelf: true })
          return resolved === null ? null : { id: pathToFileURL(resolved.id).href, external: true }
        }
      }
    ],
    output: { dir: join(folder, "out"), format: "esm" }
  })
