/** `gradient-images models`: lists the models of the service. */
import { Models } from "@effect-gradient/core"
import { Command } from "effect/cli"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { descriptions } from "./descriptions.ts"
import { baseUrl, inFlags, yes } from "../flags.ts"
import { quietly } from "../output/quietly.ts"
import * as Service from "../service.ts"

const config = {
  json: yes("json", "Print one JSON array on standard output"),
  emulate: yes("emulate", "List the emulator's models even if there is a key"),
  baseUrl
}

const toJson = ({ created, id, ownedBy }: Models.Model) => ({
  id,
  created: created === undefined ? undefined : DateTime.formatIso(created),
  ownedBy
})

const run = Effect.fnUntraced(function* (options: Command.Command.Config.Infer<typeof config>) {
  const { images } = yield* Service.choose(options)
  const models = yield* Models.list.pipe(
    quietly,
    Effect.provide(images),
    Effect.catchTag("GradientError", (error) => Effect.fail(inFlags(error, Object.keys(config))))
  )
  if (options.json) return yield* Console.log(JSON.stringify(models.map(toJson)))
  for (const { id } of models) yield* Console.log(id)
}, Effect.scoped)

export const models = Command.make("models", config, run).pipe(Command.withDescription(descriptions.models))
