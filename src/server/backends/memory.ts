import type { Action, Backend, BackendRoom, Outcome, RoomOptions } from '../rules/backend.js'
import { newEpoch } from '../rules/ids.js'
import { LeaseClock } from '../rules/lease-clock.js'
import { RoomMachine } from '../rules/room.js'

/**
 * Returns a backend that keeps rooms in the memory of this process: the reference for every other backend. Rooms are lost
 * when the process ends; clients enter again when they reconnect.
 */
export function memoryBackend(): Backend {
  const rooms = new Map<string, MemoryRoom>()
  const revokeListeners = new Set<(memberId: string, room?: string) => void>()
  return {
    async open(id, options) {
      const room = rooms.get(id) ?? new MemoryRoom(options)
      rooms.set(id, room)
      const { state, close } = room.listen(options)
      return {
        state,
        act: async (actions) => room.act(actions),
        broadcast: async (text) => room.broadcast(text),
        // Commits are delivered synchronously: there is nothing to wait for.
        refresh: async () => {},
        async close() {
          close()
          if (room.isUnused && rooms.get(id) === room) rooms.delete(id)
        },
      } satisfies BackendRoom
    },
    ready: async () => {},
    async revoke(memberId, room) {
      // Listeners run first: the owner of an anonymous stream is known only while its connection is in the room.
      for (const listener of revokeListeners) listener(memberId, room)
      const affected = room === undefined ? [...rooms.values()] : [rooms.get(room)]
      for (const each of affected) each?.act([{ type: 'revoke', memberId }])
    },
    onRevoke(listener) {
      revokeListeners.add(listener)
      return () => revokeListeners.delete(listener)
    },
    // Memory is always reachable, so that no change of health is ever reported.
    onHealth: () => () => {},
    async close() {
      rooms.clear()
      revokeListeners.clear()
    },
  }
}

type Listener = Pick<RoomOptions, 'onCommit' | 'onBroadcast'>

class MemoryRoom {
  readonly #room: RoomMachine
  readonly #options: RoomOptions
  readonly #leaseClock: LeaseClock
  readonly #listeners = new Set<Listener>()

  constructor(options: RoomOptions) {
    this.#options = options
    const { clock, rules, sweepMs, startedAt = -Infinity } = options
    const now = clock.now()
    this.#leaseClock = new LeaseClock(now, sweepMs)
    // A client that held a lock in the process before this one may still believe that it does, and may be reconnecting.
    const claimsUntil = now < startedAt + rules.lockMs ? now + rules.claimMs : -Infinity
    this.#room = new RoomMachine(newEpoch(), micros(clock.date()), rules, claimsUntil)
  }

  get isUnused(): boolean {
    return this.#listeners.size === 0 && this.#room.isEmpty
  }

  listen({ onCommit, onBroadcast }: Listener) {
    const listener = { onCommit, onBroadcast }
    this.#listeners.add(listener)
    return { state: this.#room.state(), close: () => void this.#listeners.delete(listener) }
  }

  act(actions: Action[]): Outcome[] {
    const { clock } = this.#options
    const now = this.#leaseClock.read(clock.now())
    const { outcomes, commit } = this.#room.act(actions, now, micros(clock.date()), this.#leaseClock.lostMs)
    if (commit) for (const { onCommit } of this.#listeners) onCommit(commit)
    return outcomes
  }

  broadcast(text: string): void {
    for (const { onBroadcast } of this.#listeners) onBroadcast?.(text)
  }
}

const micros = (date: Date) => date.getTime() * 1_000
