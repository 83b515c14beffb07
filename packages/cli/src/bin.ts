#!/usr/bin/env node
/**
 * Starts the command line. This file imports nothing that an old version of Node cannot parse, so that such a version
 * prints a message instead of a SyntaxError.
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
