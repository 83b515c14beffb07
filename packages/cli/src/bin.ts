#!/usr/bin/env node
/**
 * Checks the version of Node, then loads the command line. An old version could not parse the command line, and would
 * print a SyntaxError instead of this message.
 */
import process from "node:process"

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)

if (major > 22 || (major === 22 && minor >= 19)) {
  await import("./main.ts")
} else {
  process.stderr.write(
    `gradient-images needs Node 22.19 or later (this is ${process.versions.node}): install it from nodejs.org.\n`
  )
  process.exitCode = 1
}
