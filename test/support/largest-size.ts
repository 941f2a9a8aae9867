import { onTestFinished, vi } from 'vitest'

/** Runs `grow` and returns the largest size that any Map or Set had meanwhile. */
export async function largestDuring(grow: () => unknown): Promise<number> {
  let largest = 0
  const { set } = Map.prototype
  const { add } = Set.prototype
  const spies = [
    vi.spyOn(Map.prototype, 'set').mockImplementation(function (this: Map<unknown, unknown>, key, value) {
      set.call(this, key, value)
      largest = Math.max(largest, this.size)
      return this
    }),
    vi.spyOn(Set.prototype, 'add').mockImplementation(function (this: Set<unknown>, value) {
      add.call(this, value)
      largest = Math.max(largest, this.size)
      return this
    }),
  ]
  const restore = () => spies.forEach((spy) => spy.mockRestore())
  onTestFinished(restore)
  await grow()
  restore()
  return largest
}
