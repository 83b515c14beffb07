/**
 * Compares two requests by method, path and body. The host and the headers are ignored, so that a cassette can be
 * replayed with another host or key.
 */
import type { RecordedRequest } from "@effect-gradient/core/testing"
import * as Predicate from "effect/Predicate"

type Request = RecordedRequest.RecordedRequest

/** A field in which two requests differ. For a request that does not have the field, the value is `undefined`. */
export interface Difference {
  /** `method`, `path`, `body`, or the path of a value in the body, such as `body.prompt`. */
  readonly field: string
  readonly asked: unknown
  readonly recorded: unknown
}

/**
 * Returns the innermost values of a value, at any depth, each with its path. An empty object or array is returned as
 * its JSON text.
 */
const leaves = (value: unknown, path: string): ReadonlyArray<readonly [path: string, value: unknown]> => {
  const members = Predicate.isObjectOrArray(value) ? Object.entries(value) : []
  return members.length === 0
    ? [[path, Predicate.isObjectOrArray(value) ? JSON.stringify(value) : value]]
    : members.flatMap(([name, member]) => leaves(member, `${path}.${name}`))
}

const pathOf = (url: string): string => {
  const { pathname, search } = new URL(url)
  return `${pathname}${search}`
}

const fieldsOf = ({ body, method, url }: Request): ReadonlyMap<string, unknown> =>
  new Map([["method", method], ["path", pathOf(url)], ...leaves(body, "body")])

/** Returns the fields in which two requests differ: the method, the path, and members of the body. */
export const differences = (asked: Request, recorded: Request): ReadonlyArray<Difference> => {
  const mine = fieldsOf(asked)
  const theirs = fieldsOf(recorded)
  return Array.from(new Set([...mine.keys(), ...theirs.keys()]))
    .map((field) => ({ field, asked: mine.get(field), recorded: theirs.get(field) }))
    .filter(({ asked: one, recorded: other }) => one !== other)
}

/** Returns the exchange whose request differs least from this one, and how. `undefined` if there are no exchanges. */
export const nearest = <A extends { readonly request: Request }>(
  asked: Request,
  exchanges: ReadonlyArray<A>
): { readonly exchange: A; readonly differences: ReadonlyArray<Difference> } | undefined =>
  exchanges
    .map((exchange) => ({ exchange, differences: differences(asked, exchange.request) }))
    .toSorted((one, other) => one.differences.length - other.differences.length)[0]
