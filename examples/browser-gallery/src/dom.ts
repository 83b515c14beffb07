/**
 * The page's elements, and its events as effects.
 */
import { Effect } from "effect"

/** The element with this id. It is part of index.html, so its absence is a defect. */
export const element = <E extends HTMLElement>(id: string, type: new () => E): E => {
  const found = document.getElementById(id)
  if (found instanceof type) return found
  throw new TypeError(`The page has no ${type.name} with the id ${id}`)
}

/** Waits for the next event of this type. */
export const next = (target: EventTarget, type: string): Effect.Effect<Event> =>
  Effect.callback((resume, signal) => {
    target.addEventListener(type, (event) => resume(Effect.succeed(event)), { once: true, signal })
  })
