export interface PageListener {
  /** The page goes away: for good, or into the back/forward cache. */
  hidden(): void
  /** It is back from there, exactly as it was. */
  restored(): void
  /** The network is back, or somebody looks at the page again. */
  woken(): void
}

/** Follows the life of a browser's page; does nothing where there is none. Returns what stops it. */
export function followPage({ hidden, restored, woken }: PageListener): () => void {
  if (typeof document === 'undefined') return () => {}
  const controller = new AbortController()
  const { signal } = controller
  addEventListener('pagehide', hidden, { signal })
  addEventListener('pageshow', (event) => event.persisted && restored(), { signal })
  addEventListener('online', woken, { signal })
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && woken(), { signal })
  return () => {
    controller.abort()
  }
}
