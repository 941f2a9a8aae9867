import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

export type Health = {
  /** The number of answered posts, and their durations. */
  posts: number
  p50: number
  p99: number
  /** The answers that were not 200. */
  statuses: number[]
}

/** Somebody who posts all the time, whom nothing but the server can hold up: in a thread of their own. */
export function healthyClient(url: string, everyMs = 40) {
  const worker = new Worker(new URL('./healthy-client.mjs', import.meta.url), { workerData: { url, everyMs } })
  return {
    /** How it went since this was asked the last time. */
    async health(): Promise<Health> {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
      worker.postMessage('health')
      const [{ tookMs, statuses }] = (await once(worker, 'message')) as [{ tookMs: number[]; statuses: number[] }]
      const sorted = tookMs.toSorted((a, b) => a - b)
      const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
      return { posts: sorted.length, p50: at(0.5), p99: at(0.99), statuses }
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate()
    },
  }
}
