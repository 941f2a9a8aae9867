/**
 * Opens something whose code is loaded on demand, so that it is not part of every page's first load. Returns a function
 * that closes it, also while the code is still loading.
 */
export function lazyImport<M>(
  load: Promise<M>,
  open: (module: M) => () => void,
  failed: (thrown: unknown) => void,
): () => void {
  let over = false
  let close = () => {}
  load.then((module) => over || (close = open(module))).catch((thrown: unknown) => over || failed(thrown))
  return () => {
    over = true
    close()
  }
}
