import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

export type Health = {
  /** The number of posts. `p50` and `p99` are percentiles of their durations in milliseconds. */
  posts: number
  p50: number
  p99: number
  /** The HTTP statuses other than 200; 0 when there was no answer. */
  statuses: number[]
}

/** Starts a client that posts continuously, in its own thread so that only the server can delay it. */
export function healthyClient(url: string, everyMs = 40) {
  const worker = new Worker(new URL('./healthy-client.mjs', import.meta.url), { workerData: { url, everyMs } })
  return {
    /** Resolves with the measurements since the last call. */
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
