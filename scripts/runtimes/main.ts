/**
 * `pnpm test:runtimes`: tests the packed packages on three versions of Node, on Bun, Deno and workerd, and on Linux on
 * x64 also in Chromium. On each runtime, the same calls are made through the layers for that runtime. On all runtimes
 * except Chromium, the same requests are sent to the gateway's web handler. The results are printed, and written to
 * docs/runtimes.md. The exit code is 1 if a result is wrong.
 */
import { Schema } from "effect"
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { installPacked, root, run, version } from "../packed.ts"
import { decodePrinted, pathOf, runsOf } from "./imagesResults.ts"
import { refusedUrl, startService } from "./imagesService.ts"
import { type Outcome, report } from "./report.ts"
import { browsers, runtimes, tools } from "./runtimes.ts"
import { startUpstream } from "./upstream.ts"

const decodeGatewayRows = Schema.decodeSync(
  Schema.fromJsonString(
    Schema.Array(Schema.Struct({ name: Schema.String, isRight: Schema.Boolean, received: Schema.String }))
  )
)

/** Installs the packages and the tools in an empty folder, and copies the test programs into it. */
const prepare = (project: string) => {
  installPacked(project, [version("effect"), version("@effect/platform-node"), ...tools])
  for (const name of readdirSync(import.meta.dirname).filter((file) => /^(gateway|images)/.test(file))) {
    copyFileSync(join(import.meta.dirname, name), join(project, name))
  }
}

const tryAll = async (project: string): Promise<ReadonlyArray<Outcome>> => {
  const service = await startService()
  const upstream = await startUpstream()
  const refused = await refusedUrl()
  try {
    // The runtimes make their calls at the same time, because a call mostly waits, and each runtime has a path of its
    // own at the service. They test the gateway one after another, because they share the gateway's upstream.
    const called = await Promise.all(
      Object.entries({ ...runtimes, ...browsers }).map(async ([runtime, runOn]) => {
        const printed = decodePrinted(await runOn(project, "images", [`${service.url}${pathOf(runtime)}`, refused]))
        return { runtime, runOn, runs: runsOf(runtime, printed, service.accounts), imageFile: printed.imageFile }
      })
    )
    const outcomes: Array<Outcome> = []
    for (const { runOn, ...each } of called) {
      const isServer = each.runtime in runtimes
      const gateway = isServer ? decodeGatewayRows(await runOn(project, "gateway", [upstream.url])) : []
      outcomes.push({ ...each, gateway })
    }
    return outcomes
  } finally {
    service.stop()
    upstream.stop()
  }
}

const wrongOf = ({ gateway, imageFile, runs, runtime }: Outcome): ReadonlyArray<string> => [
  ...runs.flatMap(({ layer, results }) =>
    results.flatMap(({ name, wrong }) => wrong.map((what) => `${runtime}, ${layer}, ${name}: ${what}`))
  ),
  ...(imageFile === false ? [`${runtime}, ImageFile: the file does not have the image's bytes`] : []),
  ...gateway.filter(({ isRight }) => !isRight).map(({ name, received }) => `${runtime}, gateway, ${name}: ${received}`)
]

const project = mkdtempSync(join(tmpdir(), "effect-gradient-runtimes-"))
try {
  prepare(project)
  const outcomes = await tryAll(project)
  const path = join(root, "docs", "runtimes.md")
  writeFileSync(path, report(outcomes))
  run("npx", ["--yes", "pnpm", "exec", "oxfmt", path], root)
  console.log(report(outcomes))
  const wrong = outcomes.flatMap(wrongOf)
  for (const line of wrong) console.error(line)
  if (wrong.length > 0) process.exitCode = 1
} finally {
  rmSync(project, { recursive: true, force: true })
}
