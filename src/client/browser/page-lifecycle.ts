import type { Activity } from '../../shared/events.js'

export interface PageListener {
  /** The page is closed or put into the back/forward cache. */
  hidden(): void
  /** The page was restored from the back/forward cache, or was prerendered and is opened now. */
  shown(): void
  /**
   * The network is back or is another one (`changed`), or somebody looks at the page again: a retry is likely to work,
   * and open connections may be dead.
   */
  woken(changed: boolean): void
}

/** True while a browser prepares a page that nobody has opened yet, and may never open. */
export const isPrerendered = (): boolean =>
  typeof document !== 'undefined' && (document as { prerendering?: boolean }).prerendering === true

/** Listens to the events of a browser's page. Returns a function that removes the listeners. */
export function followPage({ hidden, shown, woken }: PageListener): () => void {
  const controller = new AbortController()
  const { signal } = controller
  const on = (type: string, run: (event: PageTransitionEvent) => void, target: EventTarget = globalThis) =>
    target.addEventListener(type, run as EventListener, { signal })
  const wake = (changed: boolean) => isPrerendered() || woken(changed)
  const onChange = () => wake(true)
  on('pagehide', hidden)
  on('pageshow', ({ persisted }) => persisted && shown())
  on('prerenderingchange', shown, document)
  on('online', onChange)
  // Chromium reports a change of the kind of network, such as from Wi-Fi to a cable.
  const { connection } = navigator as { connection?: EventTarget }
  if (connection) on('change', onChange, connection)
  on('focus', () => wake(false))
  on('visibilitychange', () => isHidden() || wake(false), document)
  return () => controller.abort()
}

/** True while the page is hidden, for example behind another tab. False where there is no page. */
export const isHidden = (): boolean => globalThis.document?.visibilityState === 'hidden'

/**
 * Reports the activity by visibility alone, for a page that could not load the activity tracker. Returns a function
 * that ends it.
 */
export function followVisibility(changed: (activity: Activity) => void): () => void {
  const update = () => changed(isHidden() ? 'away' : 'active')
  document.addEventListener('visibilitychange', update)
  return () => document.removeEventListener('visibilitychange', update)
}
