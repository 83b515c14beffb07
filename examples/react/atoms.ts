import { BrowserImages, ImageAtom } from "@effect-gradient/browser"
import { type Atom, AtomRegistry } from "effect/reactivity"
import { useCallback, useSyncExternalStore } from "react"

const registry = AtomRegistry.make()

/**
 * Returns the value of an atom, and a function that writes to it. The component is rendered again when the value changes.
 */
export const useAtom = <R, W>(atom: Atom.Writable<R, W>): readonly [R, (value: W) => void] => {
  const subscribe = useCallback((onChange: () => void) => registry.subscribe(atom, onChange), [atom])
  const value = useSyncExternalStore(subscribe, () => registry.get(atom))
  return [value, useCallback((next: W) => registry.set(atom, next), [atom])]
}

/** Requests images from the gateway at /v1 of the page's server. A page must never contain the key of the service. */
export const imageAtom = ImageAtom.make(BrowserImages.layer({ baseUrl: `${location.origin}/v1` }))
