/**
 * Makes docs/runtimes.md, which shows on which runtimes each layer works, and the results of the calls.
 */
import { cases, type Result, type Run } from "./imagesResults.ts"
import { chromiumVersion, tools } from "./runtimes.ts"

export interface Outcome {
  readonly runtime: string
  readonly runs: ReadonlyArray<Run>
  /** Whether the image file was written correctly; `undefined` if the runtime has no files. */
  readonly imageFile: boolean | undefined
  /** The results of the gateway's cases. Empty for a browser, in which the gateway does not run. */
  readonly gateway: ReadonlyArray<{ readonly name: string; readonly isRight: boolean; readonly received: string }>
}

const row = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>) =>
  [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n")

const layerCell = (run: Run | undefined) => {
  if (run === undefined) return "-"
  if (run.refusal !== undefined) return "no"
  return run.results.every(({ wrong }) => wrong.length === 0) ? "yes" : "with faults"
}

/** Makes the table of the layers by runtime, which is also in the README. */
const layers = (outcomes: ReadonlyArray<Outcome>) =>
  table(
    ["layer", ...outcomes.map(({ runtime }) => runtime)],
    [
      ...["NodeImages", "BrowserImages"].map((layer) => [
        `\`${layer}\``,
        ...outcomes.map(({ runs }) => layerCell(runs.find((run) => run.layer === layer)))
      ]),
      ["`ImageFile`", ...outcomes.map(({ imageFile }) => (imageFile === undefined ? "-" : imageFile ? "yes" : "no"))],
      ["the gateway", ...outcomes.map(gatewayCell)]
    ]
  )

const gatewayCell = ({ gateway }: Outcome) => {
  if (gateway.length === 0) return "-"
  return gateway.every(({ isRight }) => isRight) ? "yes" : "with faults"
}

const counts = ({ attempts, charged, requests }: Result) => `${attempts}, ${requests}, ${charged}`

/** The cell for a call on one runtime: its counts, and its outcome if that is not the one in the second column. */
const callCell = (name: string, { results }: Run) => {
  const result = results.find((each) => each.name === name)
  if (result === undefined) return "-"
  const isSame = result.outcome === cases[name]?.outcome
  return `${isSame ? "" : `\`${result.outcome}\` `}${counts(result)}${result.wrong.length === 0 ? "" : " (wrong)"}`
}

const calls = (runs: ReadonlyArray<Run>) =>
  table(
    ["the service's reply", "the call's result", ...runs.map(({ layer, runtime }) => `${runtime}, \`${layer}\``)],
    Object.entries(cases).map(([name, { outcome, what }]) => [
      what,
      outcome === "ok" ? "images" : `\`${outcome}\``,
      ...runs.map((run) => callCell(name, run))
    ])
  )

const refusals = (outcomes: ReadonlyArray<Outcome>) =>
  outcomes
    .flatMap(({ runs }) => runs)
    .flatMap(({ layer, refusal, runtime }) =>
      refusal === undefined ? [] : [`\`${layer}\` on ${runtime} fails when the layer is built: "${refusal}"`]
    )

const versionOf = (tool: string) => tools.find((each) => each.startsWith(`${tool}@`))?.split("@")[1] ?? ""

export const report = (outcomes: ReadonlyArray<Outcome>): string =>
  [
    "# Where it runs",
    "`pnpm test:runtimes` writes this page. It packs the packages, installs them with npm in an empty folder, and makes the" +
      " same calls on each runtime against a server on loopback that counts the requests." +
      ` Bun ${versionOf("bun")}, Deno ${versionOf("deno")}, workerd of miniflare ${versionOf("miniflare")}, Chromium ${chromiumVersion}.`,
    layers(outcomes),
    "A dash means that the runtime lacks what the layer needs.",
    ...refusals(outcomes),
    "## The calls",
    "Each cell has three numbers, after the call's result if it is not that of the row: the attempts that the error lists" +
      " (1 if the call succeeds), the requests that the server received, and the requests that it would have charged for." +
      " If a runtime resends requests by itself, it has more requests than attempts." +
      " A call on a reused connection comes after a successful call, whose request is counted too.",
    "workerd and Chromium give the same error for a refused connection and for a broken one. So the call is not retried, and the" +
      " error says that it may have been charged for.",
    "Chromium sends a request again by itself if a connection that it reuses closes before the headers. The service would" +
      " charge for both. In a page, use [the gateway](in-a-page.md): both requests have the same id, so the gateway sends only one of them.",
    calls(outcomes.flatMap(({ runs }) => runs).filter(({ refusal }) => refusal === undefined)),
    "## The gateway",
    "The gateway's web handler gets the same requests on each of these runtimes: " +
      outcomes
        .filter(({ gateway }) => gateway.length > 0)
        .map(({ gateway, runtime }) => {
          const right = gateway.filter(({ isRight }) => isRight).length
          return `${right} of ${gateway.length} responses are right on ${runtime}`
        })
        .join(", ") +
      ".\n"
  ].join("\n\n")
