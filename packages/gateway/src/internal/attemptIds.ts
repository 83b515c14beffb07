/** Remembers the id of each attempt for at most an hour. It keeps at most the newest 100,000. */

const retentionMillis = 60 * 60 * 1000
const capacity = 100_000

export interface AttemptIds {
  /** Adds the id. Returns `false` if the id is already remembered. */
  readonly claim: (id: string, now: number) => boolean
  /** Removes the id of a request that was not charged for. */
  readonly release: (id: string) => void
}

export const makeAttemptIds = (): AttemptIds => {
  // The time at which each id was added. A Map keeps the order of insertion, so the oldest id comes first.
  const seen = new Map<string, number>()
  return {
    claim: (id, now) => {
      if (now - (seen.get(id) ?? Number.NEGATIVE_INFINITY) < retentionMillis) return false
      seen.delete(id)
      seen.set(id, now)
      for (const [oldest, claimedAt] of seen) {
        if (seen.size <= capacity && now - claimedAt < retentionMillis) break
        seen.delete(oldest)
      }
      return true
    },
    release: (id) => {
      seen.delete(id)
    }
  }
}
