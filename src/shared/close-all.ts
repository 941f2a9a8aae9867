/**
 * Closes several things, one after the other, in the given order. One that fails does not keep the others open. Those before the
 * first that returns a promise are closed when this returns.
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
