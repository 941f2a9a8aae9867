/**
 * Opens something whose code is loaded on demand, so that it is not part of every page's first load. Returns a function
 * that closes it, also while the code is still loading.
 *
 * @param fallback opens what works without that code: a deploy removes the chunks of the pages that are already open.
 */
export function lazyImport<M>(
  load: Promise<M>,
  open: (module: M) => () => void,
  fallback: () => () => void,
): () => void {
  let over = false
  let close = () => {}
  void load.then(
    (module) => over || (close = open(module)),
    () => over || (close = fallback()),
  )
  return () => {
    over = true
    close()
  }
}
