import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect } from "effect"
import { emulated } from "./emulator.ts"
import { watch } from "./stream.ts"

watch("otter").pipe(Effect.provide(emulated), NodeRuntime.runMain)
