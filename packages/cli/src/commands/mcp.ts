/**
 * `gradient-images mcp`: an MCP server on standard input and output, for agents that generate images. Standard output
 * has only the protocol; everything else is on standard error.
 */
import * as BudgetLedger from "@effect-gradient/core/BudgetLedger"
import * as GradientConfig from "@effect-gradient/core/GradientConfig"
import * as ImagesBudget from "@effect-gradient/core/ImagesBudget"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as McpServer from "effect/ai/McpServer"
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { homedir } from "node:os"
import { join } from "node:path"
import { baseUrl, duration, given, text, whole, yes } from "../flags.ts"
import * as ImageFolder from "../mcp/ImageFolder.ts"
import * as Tools from "../mcp/tools.ts"
import { isServer } from "../output/exit.ts"
import * as Service from "../service.ts"
import { exporting } from "../telemetry/environment.ts"
import { version } from "../version.ts"
import { descriptions } from "./descriptions.ts"

const defaults = { folder: join(homedir(), "gradient-images"), images: 20, inline: 256 * 1024 } as const

const config = {
  folder: given(
    text(Flag.String("folder")),
    "The folder of the images; nothing is written outside of it. Default: gradient-images in the home folder"
  ),
  images: given(
    whole(1, 1e9)(Flag.String("images")),
    `The most images that may be generated, in each --window or until the server ends. Default: ${defaults.images}`
  ),
  window: given(duration("window"), "The time window of --images: 1h, 24h. Default: until the server ends"),
  inline: given(
    whole(0, 700_000)(Flag.String("inline")),
    `How many bytes of images from files a result may contain in total. Other images are given only as a path and a link. Default: ${defaults.inline}`
  ),
  emulate: yes("emulate", "Let the emulator draw the images, so that no key is needed and nothing is charged for"),
  baseUrl
}

/**
 * Replaces the `~` of `~` and `~/...` by the home folder. A shell does this, but MCP hosts start the server without
 * a shell.
 */
const withoutTilde = (path: string) => path.replace(/^~(?=\/|$)/, homedir())

type Options = Command.Command.Config.Infer<typeof config>

/** Fails if a key is needed and missing. Otherwise an agent would get emulated images without knowing it. */
const requireKey = Effect.fnUntraced(function* ({ baseUrl: address, emulate }: Options) {
  const url = address ?? (yield* GradientConfig.baseUrlConfig)
  if (!emulate && url === GradientConfig.defaultBaseUrl) yield* GradientConfig.keyConfig
})

/** All versions of the MCP protocol that the server speaks, the newest first. */
const protocols = [
  McpProtocol.v2026_07_28,
  McpProtocol.v2025_11_25,
  McpProtocol.v2025_06_18,
  McpProtocol.v2025_03_26,
  McpProtocol.v2024_11_05
] as const

const run = Effect.fnUntraced(function* (options: Options) {
  const { folder: path = defaults.folder, images: most = defaults.images, inline = defaults.inline, window } = options
  yield* requireKey(options)
  const { images } = yield* Service.choose(options)
  const folder = yield* ImageFolder.open(withoutTilde(path))
  const budgeted = ImagesBudget.layer({ images: most, window }).pipe(Layer.provide([images, BudgetLedger.layerMemory]))
  yield* isServer
  const tools = Tools.layer({ folder, inline }).pipe(Layer.provide(budgeted))
  const server = McpServer.layerStdio({ name: "gradient-images", version, protocols, registrations: tools })
  return yield* Layer.launch(server)
}, exporting)

export const mcp = Command.make("mcp", config, run).pipe(
  Command.withDescription(
    `${descriptions.mcp} It has the tools generate_image, list_images and show_image. ` +
      "MCP hosts start the server themselves: see the guide on agents. The key comes from GRADIENT_MODEL_ACCESS_KEY or DIGITALOCEAN_ACCESS_TOKEN."
  ),
  Command.withShortDescription(descriptions.mcp),
  Command.withExamples([
    {
      command: "gradient-images mcp --folder ./images --images 50 --window 24h",
      description: "At most 50 images in each window of 24 hours, counted while the server runs"
    },
    { command: "gradient-images mcp --emulate", description: "Uses the emulator, so that nothing is charged for" }
  ])
)
