/**
 * Medians and quartiles.
 */

/** The middle of what was measured, and where the middle half of it lies. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** The value below which this share of them lies, between two neighbours where it has to be. */
const quantile = (sorted: ReadonlyArray<number>, share: number): number => {
  const at = (sorted.length - 1) * share
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}

export const spreadOf = (values: ReadonlyArray<number>): Spread => {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) }
}
