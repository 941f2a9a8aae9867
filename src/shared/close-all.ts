/**
 * Calls several closing functions one after the other, in the given order. A function that fails does not prevent the calls of
 * the others. The functions before the first one that returns a promise have been called when this returns.
 *
 * @throws the first error, once all have been closed.
 */
export async function closeAll(closers: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = []
  for (const close of closers)
    try {
      const closing = close()
      if (typeof closing === 'object') await (closing as PromiseLike<unknown>)
    } catch (error) {
      errors.push(error)
    }
  if (errors.length > 0) throw errors[0]
}
