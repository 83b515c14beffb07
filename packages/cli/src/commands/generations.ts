/**
 * `gradient-images generations`: lists and changes the durable generations in a journal and a store. None of its
 * commands requests images from the service.
 */
import { GradientError } from "@effect-gradient/core"
import { DurableImages, Generation } from "@effect-gradient/durable"
import { Argument, Command, Flag } from "effect/cli"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { administration } from "../durable.ts"
import { duration, given, whole, yes } from "../flags.ts"
import * as Table from "../output/generations.ts"
import { descriptions } from "./descriptions.ts"

const place = {
  journal: Flag.String("journal").pipe(Flag.withDescription("The journal: a file, or postgres://...")),
  store: Flag.String("store").pipe(
    Flag.withDescription("The place where the images are kept: a folder, or s3://bucket/prefix")
  )
}

const key = Argument.String("key").pipe(Argument.withDescription("The key of the generation"))
const json = yes("json", "Print JSON on standard output")

const refuse = (description: string) => GradientError.fromReason(new GradientError.InvalidParamsError({ description }))

const list = Command.make(
  "list",
  {
    ...place,
    status: given(Flag.Literals("status", Generation.Status.literals), "Only generations with this status"),
    label: given(Flag.String("label").pipe(Flag.withMetavar("NAME=VALUE")), "Only generations with this label"),
    prefix: given(Flag.String("prefix"), "Only generations with a key that begins with this text"),
    olderThan: given(
      duration("older-than"),
      "Only generations that were first requested at least this long ago, in seconds or with a unit: 90, 1.5h, 30d"
    ),
    limit: given(whole(1, 1_000_000)(Flag.String("limit")), "The maximum number of generations to list"),
    json
  },
  Effect.fnUntraced(function* ({ json: asJson, label, limit = Infinity, olderThan, prefix, status, ...at }) {
    const before = olderThan && DateTime.makeUnsafe((yield* Clock.currentTimeMillis) - Duration.toMillis(olderThan))
    const found = yield* DurableImages.list({ status, prefix, before }).pipe(
      Stream.filter(({ labels }) => label === undefined || Table.hasLabel(labels, label)),
      Stream.take(limit),
      Stream.runCollect,
      Effect.provide(administration(at))
    )
    yield* Console.log(asJson ? JSON.stringify(Table.summaryOf(found)) : Table.tableOf(found))
  })
).pipe(Command.withDescription("Lists generations, the newest first, with the totals of images and tokens."))

const show = Command.make(
  "show",
  { key, ...place },
  Effect.fnUntraced(function* ({ key: name, ...at }) {
    const found = yield* Effect.provide(DurableImages.get(name), administration(at))
    if (Option.isNone(found)) return yield* refuse(`the journal has no generation with the key ${JSON.stringify(name)}`)
    yield* Console.log(JSON.stringify(Table.toJson(found.value), undefined, 2))
  })
).pipe(Command.withDescription("Shows one generation as JSON."))

/**
 * Decides `repeat` for generations in doubt, the newest first. A generation is skipped if its images would bring the
 * total above `atMost`.
 */
const repeatAll = Effect.fnUntraced(function* (atMost: number) {
  const doubts = yield* Stream.runCollect(DurableImages.list({ status: "in-doubt" }))
  let left = atMost
  let settled = 0
  for (const { attempt, key: name, n } of doubts) {
    if (name === undefined || n > left) continue
    const outcome = yield* DurableImages.resolve(name, { attempt, as: "repeat" }).pipe(
      Effect.catchReason("GradientError", "ConflictError", ({ message }) =>
        Effect.as(Console.error(message), undefined)
      )
    )
    if (outcome === undefined) continue
    left -= n
    settled++
  }
  yield* Console.log(
    `${settled} of ${doubts.length} generations in doubt may be requested again, for ${atMost - left} images at most.`
  )
})

const decisions = {
  repeat: "Allow the next call with the key to send a new request, which may be charged for",
  abandon: "Allow no more requests for the key, unless you decide otherwise later",
  accept: "Take the images that the store has of the attempt as the result"
} as const

const resolve = Command.make(
  "resolve",
  {
    key: Argument.optional(key),
    ...place,
    repeat: yes("repeat", decisions.repeat),
    abandon: yes("abandon", decisions.abandon),
    accept: yes("accept", decisions.accept),
    attempt: given(
      whole(1, 1_000_000)(Flag.String("attempt")),
      "The number of the last attempt of the generation, as `list` shows it. Required with a key"
    ),
    inDoubt: yes(
      "in-doubt",
      "Decide about the generations in doubt, as far as --at-most allows, instead of about one key"
    ),
    atMost: given(
      whole(1, 1_000_000)(Flag.String("at-most")),
      "With --in-doubt: the maximum number of images that may be paid for again, in total"
    )
  },
  Effect.fnUntraced(function* ({ abandon, accept, atMost, attempt, inDoubt, key: given_, repeat, ...at }) {
    const chosen = [
      ...(repeat ? ["repeat" as const] : []),
      ...(abandon ? ["abandon" as const] : []),
      ...(accept ? ["accept" as const] : [])
    ]
    const [as, ...others] = chosen
    if (as === undefined || others.length > 0) {
      return yield* refuse("give exactly one of --repeat, --abandon and --accept")
    }
    if (inDoubt) {
      if (as !== "repeat" || atMost === undefined || Option.isSome(given_)) {
        return yield* refuse("--in-doubt needs --repeat and --at-most, and no key")
      }
      return yield* Effect.provide(repeatAll(atMost), administration(at))
    }
    if (Option.isNone(given_) || attempt === undefined) {
      return yield* refuse("give a key and, as --attempt, the number of its last attempt")
    }
    const settled = yield* Effect.provide(DurableImages.resolve(given_.value, { attempt, as }), administration(at))
    yield* Console.log(`${given_.value}: ${settled.status}`)
  })
).pipe(Command.withDescription("Decides what happens to generations in doubt."))

const removed = ({ generations, images }: DurableImages.Removed) =>
  Console.log(`${generations} generations, ${images} images`)

const erase = Command.make(
  "erase",
  { key, ...place },
  Effect.fnUntraced(function* ({ key: name, ...at }) {
    yield* removed(yield* Effect.provide(DurableImages.erase(name), administration(at)))
  })
).pipe(
  Command.withDescription(
    "Removes the images, the key and the labels of a generation. A later call with the same key sends no request, until the generation's row is removed, for example by `generations prune --status expired`."
  )
)

const prune = Command.make(
  "prune",
  {
    ...place,
    olderThan: duration("older-than").pipe(
      Flag.withDescription("Only generations that have not changed for this long: 12h, 30d")
    ),
    status: given(
      Flag.Literals("status", ["done", "expired", "abandoned", "free"]),
      "done: removes the images. Any other status: removes the rows and any images of theirs, so that the next call with such a key sends a new request. Default: done"
    )
  },
  Effect.fnUntraced(function* ({ olderThan, status, ...at }) {
    yield* removed(yield* Effect.provide(DurableImages.prune({ olderThan, status }), administration(at)))
  })
).pipe(
  Command.withDescription(
    "Removes the images of old generations from the store; with a --status other than done, also their rows from the journal."
  )
)

const reconcile = Command.make(
  "reconcile",
  place,
  Effect.fnUntraced(function* (at) {
    const found = yield* Effect.provide(Stream.runCollect(DurableImages.reconcile), administration(at))
    yield* Console.log(`${found.length} generations were written into the journal.`)
  })
).pipe(
  Command.withDescription(
    "Restores or completes generations in the journal from the manifests in the store, for example after the journal was lost."
  )
)

export const generations = Command.make("generations").pipe(
  Command.withDescription(descriptions.generations),
  Command.withSubcommands([list, show, resolve, erase, prune, reconcile])
)
