/**
 * The page's elements, and its events as effects.
 */
import { Effect } from "effect"

/** The element with this id. That it is there is the page's own promise, so its absence is a defect. */
export const element = <E extends HTMLElement>(id: string, type: new () => E): E => {
  const found = document.getElementById(id)
  if (found instanceof type) return found
  throw new TypeError(`The page has no ${type.name} with the id ${id}`)
}

/** The next event of this kind. Those that come while nobody waits for one are let go. */
export const next = (target: EventTarget, type: string): Effect.Effect<Event> =>
  Effect.callback((resume, signal) => {
    target.addEventListener(type, (event) => resume(Effect.succeed(event)), { once: true, signal })
  })
