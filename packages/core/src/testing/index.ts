/** Layers for tests. */
export const pending = true
