/** Of the six connections that a browser has for an origin over HTTP/1.1, streams leave two for everything else. */
const slots = 4

/**
 * Waits for no one: true when this page may open one more stream to that origin, and then until `signal` is aborted.
 * HTTP/2 and 3 carry any number over one connection.
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
      .catch(() => taken(false))
  })

/** As far as this page knows from what it loaded; another origin may not tell, and is taken for the worse. */
function isMultiplexed(origin: string): boolean {
  const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  const protocols = loaded.filter(({ name }) => name.startsWith(`${origin}/`)) as PerformanceResourceTiming[]
  return /^h[23]/.test(protocols.findLast(({ nextHopProtocol }) => nextHopProtocol)?.nextHopProtocol ?? '')
}

/** Holds a lock until then. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((done) => signal.addEventListener('abort', () => done(), { once: true }))
