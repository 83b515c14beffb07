/** `gradient-images emulator`: serves the emulated endpoint on a port of this machine until it is stopped. */
import { Emulator, Fault } from "@effect-gradient/emulator"
import { CliError, Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { descriptions } from "./descriptions.ts"
import { duration, given, whole, yes } from "../flags.ts"
import { PortError } from "../PortError.ts"

const readFault = (value: string) =>
  Effect.mapError(Fault.make(value), ({ reason }) => {
    const expected = reason.description ?? reason.message
    return new CliError.InvalidValue({ option: "fault", value, expected, kind: "flag" })
  })

const config = {
  port: whole(
    0,
    65_535
  )(Flag.String("port")).pipe(
    Flag.withDescription("The port; 0 is any free one. Default: 8787"),
    Flag.withDefault(8787)
  ),
  latency: given(
    duration("latency"),
    "The time before a reply with images or a failure that is charged for, in seconds or with a unit: 90, 1.5s, 500ms, 5m. Default: 0"
  ),
  pace: given(duration("pace"), "The time before each image of a stream. Default: 0"),
  images: Flag.Literals("images", ["painted", "plain"]).pipe(
    Flag.withDescription(
      "What the images show: painted scenes, or plain images of one colour, which take little time. Default: painted"
    ),
    Flag.withDefault("painted")
  ),
  models: Flag.String("model").pipe(
    Flag.withDescription(
      "A model that the emulator has; repeatable. A request for any other model gets a 404. Default: the models that the real service is believed to have, and successors of some"
    ),
    Flag.atLeast(0)
  ),
  faults: Flag.String("fault").pipe(
    Flag.mapEffect(readFault),
    Flag.withDescription(
      'A fault to simulate; repeatable: "status=503;retry-after=2 x2". The text above these flags lists all faults'
    ),
    Flag.atLeast(0)
  ),
  allowFaultHeader: yes(
    "allow-fault-header",
    "Let a request for images choose its own fault, in the header x-emulator-fault"
  )
}

/** Prints where the emulator listens, or that it does not listen. */
const announce = (options: Command.Command.Config.Infer<typeof config>) =>
  Effect.gen(function* () {
    const baseUrl = yield* Emulator.baseUrl
    if (Emulator.refusesAll(options.faults)) {
      return yield* Console.log(`Nothing listens on ${baseUrl}, because the fault "refuse" refuses every connection.`)
    }
    yield* Console.log(
      `Listening on ${baseUrl}\nUse it with: GRADIENT_BASE_URL=${baseUrl} GRADIENT_MODEL_ACCESS_KEY=any`
    )
    if (options.faults.some(({ _tag }) => _tag === "refuse")) yield* Console.error(refuseNote)
  })

const refuseNote =
  'On a port, "refuse" with xN or after another fault accepts the connection and closes it at once. ' +
  "To a client this looks like a lost request. " +
  'To have all connections refused, give "--fault refuse", without xN, as the first fault.'

const run = Effect.fnUntraced(function* (options: Command.Command.Config.Infer<typeof config>) {
  const { models, ...rest } = options
  const server = Emulator.layerServer({ ...rest, models: models.length > 0 ? models : undefined, logRequests: true })
  return yield* Effect.andThen(announce(options), Effect.never).pipe(
    Effect.provide(server),
    Effect.catchTag("ServeError", ({ cause }) => Effect.fail(new PortError({ port: options.port, cause })))
  )
})

const indented = (text: string) => text.replace(/^/gm, "    ")

const description = `${descriptions.emulator}
  Each request is logged in one line on standard error.

  Write a fault as its name, then the parts that it needs: @BYTE, =VALUE, ;OPTION=VALUE and, for only N requests, " xN":

${indented(Fault.grammar)}`

export const emulator = Command.make("emulator", config, run).pipe(
  Command.withDescription(description),
  Command.withShortDescription(descriptions.emulator),
  Command.withExamples([
    {
      command: "gradient-images emulator --port 8787 --pace 1",
      description: "Sends one image of a stream each second"
    },
    {
      command: 'gradient-images emulator --fault "status=429;retry-after=1 x2"',
      description: "Answers the first two requests for images with status 429"
    },
    {
      command: "gradient-images emulator --fault retired=openai-gpt-image-2",
      description: "Answers requests for this model as the service does for a model that it no longer has"
    }
  ])
)
