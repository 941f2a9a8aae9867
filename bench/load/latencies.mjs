/* A histogram of latencies with buckets of 0.1 ms, so that the results of many processes can be merged. */

const perMs = 10
const longestMs = 10_000

export class Latencies {
  counts = new Uint32Array(longestMs * perMs + 1)

  add(ms) {
    this.counts[Math.min(Math.max(Math.floor(ms * perMs), 0), longestMs * perMs)] += 1
  }

  clear() {
    this.counts.fill(0)
  }

  merge(counts) {
    for (const [bucket, count] of counts) this.counts[bucket] += count
  }

  /** Returns the buckets that are not empty, to send to another process. */
  get entries() {
    return Array.from(this.counts.entries()).filter(([, count]) => count > 0)
  }

  /** Returns the latency at the quantile `share`. */
  at(share) {
    const all = this.counts.reduce((sum, count) => sum + count, 0)
    let seen = 0
    for (const [bucket, count] of this.counts.entries()) {
      seen += count
      if (all > 0 && seen >= share * all) return (bucket + 1) / perMs
    }
    return Number.NaN
  }
}
