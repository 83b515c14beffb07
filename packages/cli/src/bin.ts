#!/usr/bin/env node
/**
 * Checks the version of Node before the rest of the program is loaded. Otherwise an old version of Node could fail with
 * a SyntaxError instead of this message.
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
