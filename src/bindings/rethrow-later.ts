/**
 * Runs `run`. An exception is thrown again in a microtask, where the page's error handlers see it, so that a profile
 * that cannot be sent (with half an emoji, for example) does not unmount the page. Returns `undefined` after an
 * exception.
 */
export function rethrowLater<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown
    })
    return undefined
  }
}
