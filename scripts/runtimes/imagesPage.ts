/** The script for Chromium: it makes the calls when it is imported, and exports their results. */
import { runImages } from "./imagesRun.ts"

/** The bundler replaces this constant. */
declare const ARGUMENTS: readonly [service: string, refused: string]

const [service, refused] = ARGUMENTS

export const result = runImages({ refused, service })
