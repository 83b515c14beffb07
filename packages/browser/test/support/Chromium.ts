/**
 * A Chromium from npm for tests. It is unpacked once and started headless, with its own libraries and font, and without
 * access to any host but 127.0.0.1.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"

/** Whether Chromium can run on this platform. Its npm package is built for Linux on x64. */
export const isAvailable = process.platform === "linux" && process.arch === "x64"

/** The browser. All tests of a file share it. */
export class Chromium extends Context.Service<Chromium, Browser>()("test/Chromium") {}

const packageFolder = fileURLToPath(new URL("..", import.meta.resolve("@sparticuz/chromium")))

/**
 * Unpacks Chromium into this folder. The npm package reads the folder from `TMPDIR`, and adds the libraries of Chromium
 * only if the environment looks like that of AWS Lambda.
 */
const unpackInto = async (folder: string) => {
  const script = "import chromium from '@sparticuz/chromium'; await chromium.executablePath()"
  await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: import.meta.dirname,
    env: { TMPDIR: folder, AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x" }
  })
}

const fontsConf = (folder: string) =>
  `<?xml version="1.0"?><fontconfig><dir>${folder}/fonts/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>`

/**
 * The folder with the unpacked Chromium. It is unpacked under another name, and renamed when it is complete, so that
 * test files that run at the same time can share it.
 */
const unpacked = async (): Promise<string> => {
  const manifest = await readFile(join(packageFolder, "package.json"), "utf8")
  const folder = join(tmpdir(), `effect-gradient-chromium-${/"version": "(.+)"/.exec(manifest)?.[1]}`)
  if (existsSync(folder)) return folder
  const fresh = await mkdtemp(join(tmpdir(), "effect-gradient-unpacking-"))
  await unpackInto(fresh)
  await writeFile(join(fresh, "fonts", "fonts.conf"), fontsConf(folder))
  await rename(fresh, folder).catch(async (error: unknown) => {
    if (!existsSync(folder)) throw error
    await rm(fresh, { recursive: true })
  })
  return folder
}

const launch = async (): Promise<Browser> => {
  const folder = await unpacked()
  return chromium.launch({
    executablePath: join(folder, "chromium"),
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
    ],
    env: { HOME: folder, LD_LIBRARY_PATH: join(folder, "al2023", "lib"), FONTCONFIG_PATH: join(folder, "fonts") }
  })
}

/** A page in its own browser context: it shares no storage, cache or connections with other pages. */
export const openPage = (options: BrowserContextOptions = {}): Effect.Effect<Page, never, Chromium | Scope.Scope> =>
  Effect.gen(function* () {
    const browser = yield* Chromium
    const context = yield* Effect.acquireRelease(
      Effect.promise(() => browser.newContext(options)),
      (made) => Effect.promise(() => made.close())
    )
    return yield* Effect.promise(() => context.newPage())
  })

export const layer: Layer.Layer<Chromium> = Layer.effect(
  Chromium,
  Effect.acquireRelease(Effect.promise(launch), (browser) => Effect.promise(() => browser.close()))
)
