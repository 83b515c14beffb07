/**
 * The script for the page in Chromium: it makes the calls of `imagesCases.ts` when it is imported, and exports their
 * results.
 */
import { runImages } from "./imagesRun.ts"

/** The URLs of the service and of the server that refuses. The bundler replaces this constant with its value. */
declare const ARGUMENTS: readonly [service: string, refused: string]

const [service, refused] = ARGUMENTS

export const result = runImages({ refused, service })
