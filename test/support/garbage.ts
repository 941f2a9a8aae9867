import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { until } from './until.js'

setFlagsFromString('--expose_gc')
const collect = runInNewContext('gc') as () => void

/** Returns the number of objects that garbage collection does not free. */
export async function alive(refs: readonly WeakRef<object>[]): Promise<number> {
  for (let i = 0; i < 10; i++) {
    await turn()
    collect()
  }
  return refs.filter((ref) => ref.deref()).length
}

/** Returns the bytes of the heap that are still in use after garbage collection. */
export async function heapInUse(): Promise<number> {
  await alive([])
  return process.memoryUsage().heapUsed
}

/** Counts the active resources of this process by kind: timers, sockets, servers. */
export function activeResources(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

/** Waits until no more resources are active than before. Keep-alive connections end after a few seconds. */
export async function settled(before: Record<string, number>): Promise<void> {
  const more = () => Object.entries(activeResources()).filter(([kind, count]) => count > (before[kind] ?? 0))
  await until('nothing is left running', () => more().length === 0, 30_000).catch((thrown: unknown) => {
    throw new Error(`Still active: ${JSON.stringify(more())}; before: ${JSON.stringify(before)}`, { cause: thrown })
  })
}

/** The number of cycles. `npm run soak:leaks` sets LEAK_CYCLES=10000. */
export const cycles = Number(process.env['LEAK_CYCLES'] ?? 300)
/** Prints the progress of a long run. */
export const progress = (done: number): void => {
  if (cycles > 1000 && done % 1000 === 0) console.log(`${done} of ${cycles}`)
}
