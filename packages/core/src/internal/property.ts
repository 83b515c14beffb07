import * as Predicate from "effect/Predicate"

/** The value of a property. `undefined` if `holder` is not an object or lacks the property. */
export const property = (holder: unknown, name: string): unknown =>
  Predicate.hasProperty(holder, name) ? holder[name] : undefined

/**
 * Works like `Array.isArray`, but gives the items the type `unknown`. `Array.isArray` alone would give them the type
 * `any`.
 */
export const isList = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)
