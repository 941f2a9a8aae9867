import type { Activity } from '../../shared/events.js'

export interface PageListener {
  /** The page is closed or put into the back/forward cache. */
  hidden(): void
  /** The page was restored from the back/forward cache, or was prerendered and is opened now. */
  shown(): void
  /**
   * A retry is likely to work, and what is open may be dead: the network is back or is another one (`changed`), or somebody
   * looks at the page again.
   */
  woken(changed: boolean): void
}

/** True while a browser prepares a page that nobody has opened yet, and may never open. */
export const isPrerendered = (): boolean =>
  typeof document !== 'undefined' && (document as { prerendering?: boolean }).prerendering === true

/** Listens to a browser's page events; does nothing where there is no page. Returns a function that stops it. */
export function followPage({ hidden, shown, woken }: PageListener): () => void {
  if (typeof document === 'undefined') return () => {}
  const controller = new AbortController()
  const { signal } = controller
  addEventListener('pagehide', hidden, { signal })
  addEventListener('pageshow', (event) => event.persisted && shown(), { signal })
  document.addEventListener('prerenderingchange', shown, { signal })
  const wake = (changed: boolean) => isPrerendered() || woken(changed)
  const onChange = () => wake(true)
  addEventListener('online', onChange, { signal })
  // Chromium says when the kind of network changes, such as from Wi-Fi to a cable.
  const { connection } = navigator as { connection?: EventTarget }
  connection?.addEventListener('change', onChange, { signal })
  addEventListener('focus', () => wake(false), { signal })
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && wake(false), {
    signal,
  })
  return () => {
    controller.abort()
  }
}

/** The activity without the code that tracks it: a hidden page is away. Returns a function that stops it. */
export function followVisibility(changed: (activity: Activity) => void): () => void {
  const update = () => changed(document.visibilityState === 'hidden' ? 'away' : 'active')
  document.addEventListener('visibilitychange', update)
  return () => document.removeEventListener('visibilitychange', update)
}
