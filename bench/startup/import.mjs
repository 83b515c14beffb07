/**
 * The imports of the README's first program.
 */
import "@effect/platform-node/NodeRuntime"
import "@effect-gradient/core"
import "@effect-gradient/node"
import "effect"
