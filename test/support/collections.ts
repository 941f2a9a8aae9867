/**
 * Records every Map and Set that is created until `stop`: a test grows a structure and looks at its largest collection,
 * without knowing its private fields.
 */
export function recordCollections() {
  const { Map: PlainMap, Set: PlainSet } = globalThis
  const made: { readonly size: number }[] = []
  globalThis.Map = class<K, V> extends PlainMap<K, V> {
    constructor(entries?: Iterable<readonly [K, V]> | null) {
      super(entries)
      made.push(this)
    }
  }
  globalThis.Set = class<V> extends PlainSet<V> {
    constructor(values?: Iterable<V> | null) {
      super(values)
      made.push(this)
    }
  }
  return {
    made,
    /** Ends the recording. The collections that were recorded are still known. */
    stop(): void {
      Object.assign(globalThis, { Map: PlainMap, Set: PlainSet })
    },
    /** Returns the size of the largest collection now. */
    largest: (): number => made.reduce((most, { size }) => Math.max(most, size), 0),
  }
}
