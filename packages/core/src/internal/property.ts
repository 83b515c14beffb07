/**
 * Reads values of unknown types.
 */
import * as Predicate from "effect/Predicate"

/** The property of this name. `undefined` if the value is not an object or lacks the property. */
export const property = (holder: unknown, name: string): unknown =>
  Predicate.hasProperty(holder, name) ? holder[name] : undefined

/** `Array.isArray` alone would give `any` items. */
export const isList = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)
