/** Throws what a broken rule comes to: the rule, and what was seen in its place. */
export function demand(holds: unknown, rule: string, seen?: unknown): asserts holds {
  if (!holds) throw new Error(`PROTOCOL is broken: ${rule}${seen === undefined ? '' : ` Seen: ${written(seen)}`}`)
}

/** Rejects when `promise` takes longer than that. */
export async function inTime<T>(promise: Promise<T>, withinMs: number, rule: string): Promise<T> {
  const late = new Promise<never>((_resolve, reject) => {
    AbortSignal.timeout(withinMs).addEventListener('abort', () => {
      reject(new Error(`PROTOCOL is broken: ${rule} Seen: nothing within ${withinMs} ms.`))
    })
  })
  return Promise.race([promise, late])
}

/** For what has to take its time on a real server: a lease that ends, a grace. */
export const passing = (ms: number) =>
  new Promise<void>((resolve) => AbortSignal.timeout(ms).addEventListener('abort', () => resolve()))

/** Whether two pieces of JSON say the same. */
export const isSame = (a: unknown, b: unknown) => written(a) === written(b)

/** As JSON with sorted keys. */
function written(value: unknown): string {
  const sorted = (_key: string, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item
  return JSON.stringify(value, sorted) ?? 'undefined'
}
