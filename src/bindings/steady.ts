/** Returns a function that returns the value before while `get` returns an equal one. */
export function steady<V>(get: () => V, isEqual: (a: V, b: V) => boolean): () => V {
  let last: { value: V } | undefined
  return () => {
    const value = get()
    if (!last || !isEqual(last.value, value)) last = { value }
    return last.value
  }
}
