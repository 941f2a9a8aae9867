/**
 * Calls `open` with a module once it is loaded, so that the module is not part of every page's first load. `open`
 * returns a function that closes what it opened. Returns such a function at once: called before the module is loaded,
 * it prevents `open`.
 *
 * @param fallback called instead of `open` when the module cannot be loaded: a deploy removes the chunks of open pages.
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
