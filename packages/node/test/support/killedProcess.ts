/**
 * The process that tests kill. It makes one call through a limiter and a journal in a file; either can be the outer one.
 * It prints each moment of the call that it reaches, and stays for ever at the moment that its last argument names.
 *
 * Arguments: base URL, the journal's file, the order of the two layers, the function to call, the moment to stay at.
 */
import { Attempt, Images } from "@effect-gradient/core"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs"
import { argv } from "node:process"
import { NodeImages } from "../../src/index.ts"

const [, , baseUrl = "", file = "", order = "", kind = "", stayAt = ""] = argv

const reach = (moment: string) => Effect.andThen(Console.log(moment), moment === stayAt ? Effect.never : Effect.void)

/** Appends a line to the journal, and waits until it is on the disk. */
const append = (line: string) =>
  Effect.sync(() => {
    const handle = openSync(file, "a")
    writeSync(handle, `${line}\n`)
    fsyncSync(handle)
    closeSync(handle)
  })

const journal = Attempt.layer({
  begin: ({ number }) => append(`begin ${number}`),
  end: ({ number }, outcome) =>
    outcome._tag === "Left" || (outcome._tag === "Failed" && outcome.reason.mayHaveBeenCharged)
      ? Effect.void
      : append(`settle ${number} ${outcome._tag}`)
})

const limiter = Attempt.layer({ wait: ({ number }) => reach(`waiting ${number}`) })

/** Reports that an attempt begins. It is the innermost entry, so its `begin` is the last step before the request. */
const watcher = Attempt.layer({ begin: ({ number }) => reach(`begun ${number}`) })

const layers = order === "limiter outside" ? [journal, limiter] : [limiter, journal]
const images = layers.reduce(
  (inner, outer) => outer.pipe(Layer.provide(inner)),
  watcher.pipe(Layer.provide(NodeImages.layer({ baseUrl })))
)

const params = { prompt: "a sea otter" }
const options = { onRetry: () => reach("backing off") }
const call =
  kind === "generate"
    ? Effect.andThen(Images.generate(params, options), reach("arrived"))
    : Stream.runForEach(Images.generateStream(params, options), ({ _tag }) => reach(_tag))

await Effect.runPromise(call.pipe(Effect.provide(images)))
