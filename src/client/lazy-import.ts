/**
 * Opens something whose code is loaded first: what few pages need is not in what every page loads. Returns what closes
 * it, whether or not it is there yet.
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
