/** Throws an Error that names the broken rule and what was seen instead, unless `holds` is truthy. */
export function demand(holds: unknown, rule: string, seen?: unknown): asserts holds {
  if (!holds) throw new Error(`PROTOCOL is broken: ${rule}${seen === undefined ? '' : ` Seen: ${written(seen)}`}`)
}

/** Thrown by a case that does not apply to the target. */
export class CaseSkipped extends Error {
  override readonly name = 'CaseSkipped'
  readonly reason: string

  constructor(reason: string) {
    super(`This case does not apply: ${reason} Pass { skip } to run() to have it reported as skipped.`)
    this.reason = reason
  }
}

/** Resolves like `promise`. Rejects with the broken rule when that takes longer than `withinMs`. */
export async function inTime<T>(promise: Promise<T>, withinMs: number, rule: string): Promise<T> {
  const late = new Promise<never>((_resolve, reject) => {
    AbortSignal.timeout(withinMs).addEventListener('abort', () => {
      reject(new Error(`PROTOCOL is broken: ${rule} Seen: nothing within ${withinMs} ms.`))
    })
  })
  return Promise.race([promise, late])
}

/** Waits in real time, for the durations of a real server: until a lease expires or a grace period ends. */
export const passing = (ms: number) =>
  new Promise<void>((resolve) => AbortSignal.timeout(ms).addEventListener('abort', () => resolve()))

/** True if two values are equal as canonical JSON. */
export const isSame = (a: unknown, b: unknown) => written(a) === written(b)

/** The value as JSON with sorted keys. */
function written(value: unknown): string {
  const sorted = (_key: string, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item
  return JSON.stringify(value, sorted) ?? 'undefined'
}
