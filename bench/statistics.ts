/**
 * Medians and quartiles.
 */

/** The median of some values, and the range of their middle half: from the lower to the upper quartile. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** The quantile of sorted values for a share from 0 to 1. Between two values, it is interpolated. */
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
