/** The ids of attempts that were sent: those of the last hour, and the latest 100,000. */

const retentionMillis = 60 * 60 * 1000
const capacity = 100_000

export interface AttemptIds {
  /** Whether the id is new. From then on it is not. */
  readonly claim: (id: string, now: number) => boolean
  /** Forgets an id whose request was not charged for. */
  readonly release: (id: string) => void
}

export const makeAttemptIds = (): AttemptIds => {
  // When each was claimed. A Map keeps the order of insertion, so the oldest is the first.
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
