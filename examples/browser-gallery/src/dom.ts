/**
 * Finds the page's elements, and waits for its events as effects.
 */
import { Effect } from "effect"

/** Returns the element with this id and this type. Throws if there is none, which is a mistake in the page. */
export const element = <E extends HTMLElement>(id: string, type: new () => E): E => {
  const found = document.getElementById(id)
  if (found instanceof type) return found
  throw new TypeError(`The page has no ${type.name} with the id ${id}`)
}

/** Waits for the next event of this type on the target. */
export const next = (target: EventTarget, type: string): Effect.Effect<Event> =>
  Effect.callback((resume, signal) => {
    target.addEventListener(type, (event) => resume(Effect.succeed(event)), { once: true, signal })
  })
