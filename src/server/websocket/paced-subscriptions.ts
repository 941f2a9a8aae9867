import { callTRPCProcedure, type AnyTRPCProcedure, type AnyTRPCRouter } from '@trpc/server'

/** Returns a promise that resolves when the socket has room for the next value; `null` when it has room now. */
export type Pace = () => Promise<void> | null

/** Returns a stream that requests its next value only when the socket has room for it. */
export function paced(value: unknown, pace: Pace): unknown {
  if (typeof value !== 'object' || value === null || !(Symbol.asyncIterator in value)) return value
  const source = value as AsyncIterable<unknown>
  return {
    [Symbol.asyncIterator](): AsyncIterator<unknown> {
      const iterator = source[Symbol.asyncIterator]()
      let isOver = false
      return {
        async next() {
          for (let pause = pace(); pause; pause = pace()) await pause
          return isOver ? { done: true, value: undefined } : iterator.next()
        },
        async return(last?: unknown) {
          isOver = true
          return (await iterator.return?.(last)) ?? { done: true, value: last }
        },
      }
    },
  }
}

type Procedures = Record<string, unknown>

/**
 * The router that tRPC's handler sees: the app's router, except that the streams of its subscriptions are paced. tRPC
 * itself sends a stream as fast as the app produces it, whether the client reads or not. An observable is not paced,
 * because it pushes its values.
 */
export class PacedSubscriptions {
  readonly router: AnyTRPCRouter
  readonly #pace: Pace
  readonly #original: AnyTRPCRouter
  /** The paced procedures by path. Its prototype is the record of the app's procedures. */
  readonly #procedures: Procedures
  /**
   * The number of open subscriptions by path. An entry is removed at 0: behind a lazy router a client may name any
   * path, so the map could grow without bound.
   */
  readonly #open = new Map<string, number>()

  constructor(router: AnyTRPCRouter, pace: Pace) {
    this.#original = router
    this.#pace = pace
    this.#procedures = Object.create(router._def.procedures as Procedures) as Procedures
    this.router = { ...router, _def: { ...router._def, procedures: this.#procedures } } as AnyTRPCRouter
  }

  /** Counts a subscription of a path. The streams of the path are paced while at least one is open. */
  add(path: string): void {
    this.#open.set(path, (this.#open.get(path) ?? 0) + 1)
    const known = (this.#original._def.procedures as Record<string, AnyTRPCProcedure | undefined>)[path]
    if (known && known._def.type !== 'subscription') return
    const call = async (options: Parameters<typeof callTRPCProcedure>[0]) =>
      paced(await callTRPCProcedure({ ...options, router: this.#original }), this.#pace)
    this.#procedures[path] = Object.assign(call, { _def: { type: 'subscription' } })
  }

  delete(path: string): void {
    const others = (this.#open.get(path) ?? 1) - 1
    if (others > 0) return void this.#open.set(path, others)
    this.#open.delete(path)
    delete this.#procedures[path]
  }
}
