/** Returns a function that calls `get`, and returns the previous value again while the new one is equal. */
export function steady<V>(get: () => V, isEqual: (a: V, b: V) => boolean): () => V {
  let last: { value: V } | undefined
  return () => {
    const value = get()
    if (!last || !isEqual(last.value, value)) last = { value }
    return last.value
  }
}
