/** `gradient-images gateway`: serves the images endpoint to your own callers until it is stopped. */
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { GradientConfig, ImageGenerateParams } from "@effect-gradient/core"
import { Attempts, Callers, ImagesGateway } from "@effect-gradient/gateway"
import { NodeImages } from "@effect-gradient/node"
import { Command, Flag } from "effect/cli"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { HttpRouter, HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { createServer, type Server } from "node:http"
import { drain } from "../drain.ts"
import { given, items, list, orVariable, text, time, whole } from "../flags.ts"
import { collectLess } from "../gateway/collectLess.ts"
import * as Health from "../gateway/health.ts"
import * as CallerLimits from "../gateway/rateLimiter.ts"
import { StartError } from "../gateway/StartError.ts"
import { logRequests } from "../output/accessLog.ts"
import { isServer } from "../output/exit.ts"
import { configMessageOf } from "../output/message.ts"
import { PortError } from "../PortError.ts"
import { exporting, hasCollector } from "../telemetry/environment.ts"
import { descriptions } from "./descriptions.ts"

const config = {
  host: orVariable("host", "HOST", "The address to listen on. Default: 127.0.0.1", text),
  port: orVariable("port", "PORT", "The port; 0 is any free one. Default: 8080", whole(0, 65_535)),
  keysFile: orVariable(
    "keys-file",
    "GATEWAY_KEYS_FILE",
    "A file with the keys of callers, one per line. Default: the keys in GATEWAY_KEYS, separated by commas",
    text
  ),
  origins: orVariable(
    "origins",
    "GATEWAY_ORIGINS",
    "Origins of the pages that may call the gateway, separated by commas",
    list
  ),
  images: orVariable(
    "images",
    "GATEWAY_IMAGES",
    "The maximum number of images that one caller may request within --window, on average. Default: 10",
    whole(1, 1e9)
  ),
  window: orVariable("window", "GATEWAY_WINDOW", "The length of time that --images applies to. Default: 1m", time),
  models: orVariable(
    "models",
    "GATEWAY_MODELS",
    `The models that callers may request, separated by commas. A request without a model gets the first one. Default: GRADIENT_IMAGE_MODEL, else ${ImageGenerateParams.defaultModel}`,
    items
  ),
  sizes: orVariable(
    "sizes",
    "GATEWAY_SIZES",
    "The sizes that callers may request, separated by commas. Default: auto,1024x1024,1536x1024,1024x1536",
    items
  ),
  n: orVariable("n", "GATEWAY_N", "The maximum number of images of one request. Default: 1", whole(1, 10)),
  promptLength: orVariable(
    "prompt-length",
    "GATEWAY_PROMPT_LENGTH",
    "The maximum number of characters of a prompt. Default: 4000",
    whole(1, 32_000)
  ),
  journal: orVariable(
    "journal",
    "GATEWAY_JOURNAL",
    "The journal, which records requests: a file, or postgres://... With it and --store, a caller that lost its connection can still get its images",
    text
  ),
  store: orVariable(
    "store",
    "GATEWAY_STORE",
    "The place where the images of recorded requests are kept: a folder, or s3://bucket/prefix",
    text
  ),
  metrics: Flag.Boolean("metrics").pipe(
    Flag.withFallbackConfig(Config.Boolean("GATEWAY_METRICS")),
    Flag.withDefault(false),
    Flag.withDescription(
      "Serve /metrics for Prometheus, to anyone who can reach the port: keep that path internal (GATEWAY_METRICS)"
    )
  ),
  baseUrl: given(
    Flag.String("base-url"),
    `The base URL of the service. Default: GRADIENT_BASE_URL, else the host in GRADIENT_INFERENCE_ENDPOINT, else ${GradientConfig.defaultBaseUrl}`
  )
}

type Options = Command.Command.Config.Infer<typeof config>

const noCallers = (problem: string) =>
  new StartError({
    problem: `${problem}: put a key for each caller into GATEWAY_KEYS, separated by commas, or into a file for --keys-file.`
  })

/**
 * Reads the keys of callers. No flag takes them, because other users of a machine can list the arguments of processes.
 */
const keysOf = Effect.fnUntraced(function* ({ keysFile }: Options) {
  const { readFileString } = yield* FileSystem.FileSystem
  const fromVariable = Config.Redacted("GATEWAY_KEYS").pipe(
    Config.withDefault(Redacted.make("")),
    Config.map((keys) => Redacted.value(keys).split(","))
  )
  const fromFile = (path: string) =>
    readFileString(path).pipe(
      Effect.map((content) => content.split("\n")),
      Effect.mapError(({ message }) => noCallers(`${path} cannot be read (${message})`))
    )
  const lines = yield* keysFile === undefined ? fromVariable : fromFile(keysFile)
  const keys = lines.map((key) => key.trim()).filter((key) => key !== "")
  if (keys.length === 0) return yield* noCallers("No caller has a key")
  if (keys.some((key) => /\s/.test(key))) return yield* noCallers("A key contains white space")
  return keys.map((key) => Redacted.make(key))
})

const gatewayOptions = Effect.fnUntraced(function* (options: Options) {
  const { images, n, origins, promptLength, sizes, window } = options
  const model = yield* GradientConfig.modelConfig
  const models = options.models ?? [model ?? ImageGenerateParams.defaultModel]
  const all: ImagesGateway.Options = { origins, limits: { images, window }, rules: { models, n, promptLength, sizes } }
  return all
})

const announce = HttpServer.addressFormattedWith((address) => Console.log(`Listening on ${address}/v1`))

const stoppable = (server: Server) => {
  let isStopping = false
  return {
    problem: Effect.sync(() => (isStopping ? "stopping" : undefined)),
    stop: Effect.sync(() => {
      isStopping = true
      // A connection closes soon after its last response, so that the process does not wait for another request.
      server.keepAliveTimeout = 1
    })
  }
}

/**
 * Makes `Attempts`, which sends requests to the service, the routes that show the gateway's health, and, if the gateway
 * is durable, the metric of generations in doubt.
 */
const makeSending = Effect.fnUntraced(function* ({ baseUrl, journal, store }: Options, stopping: Health.Problem) {
  const client = NodeImages.layerFromConfig({ baseUrl })
  if (journal === undefined && store === undefined) {
    return {
      attempts: Attempts.layerOnce.pipe(Layer.provide(client)),
      health: Health.layer(stopping),
      doubts: Layer.empty
    }
  }
  if (journal === undefined || store === undefined) {
    return yield* new StartError({
      problem: "--journal and --store must be set together (or as GATEWAY_JOURNAL and GATEWAY_STORE)"
    })
  }
  const durable = yield* Effect.promise(() => import("../gateway/durableAttempts.ts"))
  return durable.make(client, { journal, store }, stopping)
})

/**
 * Makes `Attempts`, and the routes beside the images endpoint: those of health and, with `--metrics`, `/metrics`. If a
 * collector is configured or metrics are served, `Attempts` adds telemetry to each attempt.
 */
const attemptsOf = Effect.fnUntraced(function* (options: Options, stopping: Health.Problem) {
  const { attempts, doubts, health } = yield* makeSending(options, stopping)
  if (!options.metrics && !(yield* hasCollector)) return { attempts, routes: health }
  const telemetry = yield* Effect.promise(() => import("../gateway/telemetry.ts"))
  const routes = Layer.mergeAll(health, doubts, options.metrics ? telemetry.metrics : Layer.empty)
  return { attempts: telemetry.observed(attempts), routes }
})

/** The error if the server cannot listen. Two errors of the system are about the port, all others about the host. */
const cannotListen = (host: string, port: number, cause: unknown): PortError | StartError => {
  const code = Predicate.hasProperty(cause, "code") ? cause.code : undefined
  if (code === "EADDRINUSE" || code === "EACCES") return new PortError({ port, cause })
  const why = cause instanceof Error ? cause.message : String(cause)
  const problem = `--host ${host} cannot be used (${why}): set it, or HOST, to an address of this machine, such as 127.0.0.1.`
  return new StartError({ problem })
}

const run = Effect.fnUntraced(function* (options: Options) {
  const { host = "127.0.0.1", port = 8080 } = options
  yield* collectLess
  const keys = yield* keysOf(options)
  const server = createServer()
  const stopping = stoppable(server)
  const { attempts, routes } = yield* attemptsOf(options, stopping.problem)
  const gateway = ImagesGateway.layer(yield* gatewayOptions(options)).pipe(
    Layer.provide([Callers.layerKeys(keys), attempts, CallerLimits.layer]),
    Layer.provide([NodeCrypto.layerDigest, NodeCrypto.layerMac])
  )
  yield* isServer
  return yield* Layer.effectDiscard(Effect.acquireRelease(announce, () => stopping.stop)).pipe(
    Layer.provide(
      HttpRouter.serve(Layer.merge(gateway, routes), {
        disableLogger: true,
        disableListenLog: true,
        middleware: logRequests
      })
    ),
    Layer.provide(NodeHttpServer.layer(() => server, { host, port, gracefulShutdownTimeout: drain })),
    Layer.launch,
    Effect.catchTag("ServeError", ({ cause }) => Effect.fail(cannotListen(host, port, cause))),
    Effect.catchTag("ConfigError", (error) => Effect.fail(new StartError({ problem: configMessageOf(error) })))
  )
}, exporting)

export const gateway = Command.make("gateway", config, run).pipe(
  Command.withDescription(
    `${descriptions.gateway} A flag can also be set by the variable in parentheses. ` +
      "GRADIENT_BASE_URL and GRADIENT_MODEL_ACCESS_KEY set the service and its key. " +
      "If REDIS_URL is set, --images limits each caller's images over all processes of the gateway together. " +
      "/healthz and /readyz show whether the gateway runs and is ready. " +
      "After SIGTERM the gateway waits for the requests that it has sent to the service, for at most 30 minutes."
  ),
  Command.withShortDescription(descriptions.gateway),
  Command.withExamples([
    {
      command: "GATEWAY_KEYS=a-long-random-string gradient-images gateway",
      description: "Serves one caller, on http://127.0.0.1:8080/v1"
    },
    {
      command: "gradient-images gateway --keys-file keys.txt --origins https://app.example.com --images 20 --window 1h",
      description: "Lets the pages of an app call the gateway"
    },
    {
      command: "gradient-images gateway --keys-file keys.txt --journal journal.db --store images",
      description: "Keeps each image, so that a caller that lost its connection can get it later"
    }
  ])
)
