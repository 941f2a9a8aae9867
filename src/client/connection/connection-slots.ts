/**
 * The most streams to an origin. Over HTTP/1.1, a browser opens six connections to it: two are left for other requests.
 */
const slots = 4

/**
 * Reserves one of the stream slots of an origin until `signal` is aborted. Does not wait: returns false when all are taken.
 * HTTP/2 and HTTP/3 carry any number of streams over one connection, so they need no slot.
 */
export async function takeSlot(url: string, signal: AbortSignal): Promise<boolean> {
  const { origin } = new URL(url)
  if (isMultiplexed(origin)) return true
  for (let slot = 0; slot < slots; slot++)
    if (await takeLock(`hereabouts ${origin} stream ${slot}`, signal)) return true
  return false
}

const takeLock = (name: string, signal: AbortSignal) =>
  new Promise<boolean>((taken) => {
    navigator.locks
      .request(name, { ifAvailable: true }, (lock) => {
        taken(lock !== null)
        if (!lock || signal.aborted) return
        return aborted(signal)
      })
      // A page without access to locks (SecurityError) cannot count its streams and opens them all the same.
      .catch(() => taken(true))
  })

/**
 * True when the page last loaded a resource of this origin over HTTP/2 or HTTP/3. An origin that hides its protocol
 * counts as HTTP/1.1.
 */
function isMultiplexed(origin: string): boolean {
  const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  const protocols = loaded.filter(({ name }) => name.startsWith(`${origin}/`)) as PerformanceResourceTiming[]
  return /^h[23]/.test(protocols.findLast(({ nextHopProtocol }) => nextHopProtocol)?.nextHopProtocol ?? '')
}

/** Resolves when `signal` is aborted: a lock is held until then. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((done) => signal.addEventListener('abort', () => done(), { once: true }))
