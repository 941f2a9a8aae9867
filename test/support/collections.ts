/**
 * Records every Map and Set that the code under `src` creates until `stop`: a test grows a structure and looks at its
 * largest collection, without knowing its private fields.
 */
export function recordCollections() {
  const { Map: PlainMap, Set: PlainSet } = globalThis
  const made: { readonly size: number }[] = []
  const record = (collection: { readonly size: number }) => {
    const file = fileOfCreator()
    if (file.includes('/src/') && !file.includes('node_modules')) made.push(collection)
  }
  globalThis.Map = class<K, V> extends PlainMap<K, V> {
    constructor(entries?: Iterable<readonly [K, V]> | null) {
      super(entries)
      record(this)
    }
  }
  globalThis.Set = class<V> extends PlainSet<V> {
    constructor(values?: Iterable<V> | null) {
      super(values)
      record(this)
    }
  }
  return {
    /** Ends the recording. The collections that were recorded are still known. */
    stop(): void {
      Object.assign(globalThis, { Map: PlainMap, Set: PlainSet })
    },
    /** Returns the size of the largest collection now. @throws Error when none was recorded. */
    largest(): number {
      if (made.length === 0) throw new Error('No collection was recorded: the test would see nothing.')
      return made.reduce((most, { size }) => Math.max(most, size), 0)
    },
  }
}

/** Returns the file whose code called the constructor of the collection that is being recorded. */
function fileOfCreator(): string {
  const { prepareStackTrace, stackTraceLimit } = Error
  let file = ''
  try {
    // Frames: this function, `record`, the constructor, its caller. Their text, which needs source maps, would take long.
    Error.stackTraceLimit = 4
    Error.prepareStackTrace = (_error, frames) => {
      file = frames[3]?.getFileName() ?? ''
      return ''
    }
    void new Error('where').stack
  } finally {
    Object.assign(Error, { prepareStackTrace, stackTraceLimit })
  }
  return file
}
