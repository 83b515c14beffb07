/**
 * What any command line with Effect needs.
 */
import "effect/cli"
