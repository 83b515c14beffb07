/**
 * Checks all lines of a batch before anything is paid for. It reads the lines as a stream. In memory it keeps only the
 * hashes of the ids, the ids with equal hashes, and the problems.
 */
import { GradientError, ImageGenerateParams } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { Identity } from "../identity.ts"
import { parseLine } from "./line.ts"

/** The maximum number of requests in a part of the batch's copy. A part is one file. */
export const linesInPart = 500

/** The maximum number of problems that the message of an error lists. Its `issues` list more of them. */
const mostShown = 20

/** About the maximum number of problems within single lines in `issues`. As many duplicate ids are listed besides. */
const mostIssues = 10_000

export interface Checked {
  readonly total: number
  /** A hash of all lines. Batches with equal digests have the same requests. */
  readonly digest: string
}

class Numbers {
  #values = new Float64Array(1024)
  length = 0

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new Float64Array(2 * this.length)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[this.length++] = value
  }

  at(index: number): number {
    return this.#values[index] ?? 0
  }
}

/** A hash of 53 bits. Ids with the same hash are then compared as text. */
const hashOf = (text: string): number => {
  let high = 0xdeadbeef
  let low = 0x41c6ce57
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    high = Math.imul(high ^ code, 2_654_435_761)
    low = Math.imul(low ^ code, 1_597_334_677)
  }
  high = Math.imul(high ^ (high >>> 16), 2_246_822_507) ^ Math.imul(low ^ (low >>> 13), 3_266_489_909)
  low = Math.imul(low ^ (low >>> 16), 2_246_822_507) ^ Math.imul(high ^ (high >>> 13), 3_266_489_909)
  return 4_294_967_296 * (0x1f_ffff & low) + (high >>> 0)
}

/** The indexes of the values that occur more than once. */
const repeated = (hashes: Numbers): ReadonlySet<number> => {
  const order = Uint32Array.from({ length: hashes.length }, (_, index) => index)
  order.sort((a, b) => hashes.at(a) - hashes.at(b) || a - b)
  const found = new Set<number>()
  for (let at = 1; at < order.length; at++) {
    const [before = 0, index = 0] = order.subarray(at - 1, at + 1)
    if (hashes.at(before) === hashes.at(index)) found.add(before).add(index)
  }
  return found
}

interface Numbered {
  /** The number of the line in the file, from 1. */
  readonly number: number
  readonly text: string
}

/** The lines that are not blank, with their line numbers. */
export const numbered = <E, R>(lines: Stream.Stream<string, E, R>): Stream.Stream<Numbered, E, R> =>
  lines.pipe(
    Stream.zipWithIndex,
    Stream.map(([text, index]) => ({ number: index + 1, text })),
    Stream.filter(({ text }) => text.trim() !== "")
  )

type Issue = ImageGenerateParams.Issue

const inLine = (number: number, { allowed, given, param }: Issue): Issue => ({
  param: param === "" ? `line ${number}` : `line ${number}: ${param}`,
  given,
  allowed
})

const refused = (issues: ReadonlyArray<Issue>): GradientError.GradientError => {
  const more = issues.length > mostShown ? `; and ${issues.length - mostShown} more` : ""
  const description = `${ImageGenerateParams.renderIssues(issues.slice(0, mostShown))}${more}`
  return GradientError.fromReason(new GradientError.InvalidParamsError({ issues, description }))
}

/**
 * Finds the lines whose id an earlier line already has. Only lines whose hash occurs more than once are parsed again.
 */
const duplicates = <E, R>(lines: Stream.Stream<string, E, R>, suspects: ReadonlySet<number>) => {
  const seen = new Map<string, number>()
  return Stream.zipWithIndex(numbered(lines)).pipe(
    Stream.filter(([, index]) => suspects.has(index)),
    Stream.flatMap(([{ number, text }]) => {
      const parsed = parseLine(text)
      if (Result.isFailure(parsed)) return Stream.empty
      const { id } = parsed.success
      const first = seen.get(id)
      if (first === undefined) {
        seen.set(id, number)
        return Stream.empty
      }
      const given = `${JSON.stringify(id)}, as in line ${first}`
      return Stream.succeed(inLine(number, { param: "id", given, allowed: "one that no other line has" }))
    }),
    Stream.take(mostIssues),
    Stream.runCollect
  )
}

/**
 * Checks every line, and checks that no two lines have the same id. Fails with the problems of all lines, as far as
 * `mostIssues` allows.
 */
export const checkLines = Effect.fnUntraced(function* <E, R>(lines: Stream.Stream<string, E, R>, identity: Identity) {
  const hashes = new Numbers()
  const issues: Array<Issue> = []
  let digest = ""
  const encoder = new TextEncoder()
  yield* Stream.grouped(numbered(lines), linesInPart).pipe(
    Stream.runForEach((part) => {
      for (const { number, text } of part) {
        const parsed = parseLine(text)
        hashes.push(Result.isSuccess(parsed) ? hashOf(parsed.success.id) : -1 - number)
        if (Result.isFailure(parsed) && issues.length < mostIssues) {
          issues.push(...parsed.failure.map((issue) => inLine(number, issue)))
        }
      }
      const text = `${digest}\n${part.map((line) => line.text).join("\n")}`
      return Effect.map(identity.sha256(encoder.encode(text)), (next) => {
        digest = next
      })
    })
  )
  const suspects = repeated(hashes)
  // The issues are added one by one, because `push` with very many arguments would overflow the stack.
  if (suspects.size > 0) for (const issue of yield* duplicates(lines, suspects)) issues.push(issue)
  if (hashes.length === 0) issues.push({ param: "the file", given: "none", allowed: "at least one request" })
  if (issues.length > 0) return yield* Effect.fail(refused(issues))
  const checked: Checked = { total: hashes.length, digest }
  return checked
})
