import * as Predicate from "effect/Predicate"

/** The property of whatever it is; `undefined` where it is no object or has none of this name. */
export const property = (holder: unknown, name: string): unknown =>
  Predicate.hasProperty(holder, name) ? holder[name] : undefined
