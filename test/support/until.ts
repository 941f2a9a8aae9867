import { setTimeout as passing } from 'node:timers/promises'
import { vi } from 'vitest'

// Each `until` has its own time limit, so a test may wait several times on a slow machine.
vi.setConfig({ testTimeout: 60_000 })

/** Polls until `holds` returns true. Rejects with the description after `withinMs`. For real sockets only. */
export async function until(what: string, holds: () => unknown, withinMs = 20_000): Promise<void> {
  const end = performance.now() + withinMs
  for (;;) {
    if (await holds()) return
    if (performance.now() > end) throw new Error(`Waited ${withinMs} ms, but this did not happen: ${what}`)
    await passing(5)
  }
}

/** A list of received items that a test can wait on. */
export class Inbox<T> {
  readonly all: T[] = []

  readonly put = (item: T): void => void this.all.push(item)

  /** Resolves with the first item that fits, and waits for it if necessary. */
  async find(what: string, fits: (item: T) => boolean, withinMs?: number): Promise<T> {
    let found: T | undefined
    await until(what, () => (found = this.all.find(fits)) !== undefined, withinMs)
    return found!
  }

  /** Resolves with the item at an index, and waits for it if necessary. */
  async at(index: number, withinMs?: number): Promise<T> {
    await until(`${index + 1} items are received, not only ${this.all.length}`, () => this.all.length > index, withinMs)
    return this.all[index]!
  }
}
