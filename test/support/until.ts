import { setTimeout as passing } from 'node:timers/promises'
import { vi } from 'vitest'

// Whoever waits for sockets waits here, and each wait has a bound of its own: a slow machine is no failure.
vi.setConfig({ testTimeout: 60_000 })

/** Resolves when `holds` does; rejects with what it was waiting for when that takes too long. For real sockets only. */
export async function until(what: string, holds: () => unknown, withinMs = 20_000): Promise<void> {
  const end = performance.now() + withinMs
  for (;;) {
    if (await holds()) return
    if (performance.now() > end) throw new Error(`Waited ${withinMs} ms in vain until ${what}`)
    await passing(5)
  }
}

/** What arrived, in order, and a way to wait for the next that is asked for. */
export class Inbox<T> {
  readonly all: T[] = []

  readonly put = (item: T): void => void this.all.push(item)

  /** The first that fits, waiting for it if need be. */
  async find(what: string, fits: (item: T) => boolean, withinMs?: number): Promise<T> {
    let found: T | undefined
    await until(what, () => (found = this.all.find(fits)) !== undefined, withinMs)
    return found!
  }

  /** The item at an index, waiting for it if need be. */
  async at(index: number, withinMs?: number): Promise<T> {
    await until(`there are ${index + 1} of them, not only ${this.all.length}`, () => this.all.length > index, withinMs)
    return this.all[index]!
  }
}
