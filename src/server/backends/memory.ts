import type { Action, Backend, Commit, BackendRoom, Outcome, RoomOptions } from '../rules/backend.js'
import { newEpoch } from '../rules/ids.js'
import { LeaseClock } from '../rules/lease-clock.js'
import { RoomMachine } from '../rules/room.js'

/**
 * Rooms in this process's memory: the reference for every other backend. They are gone when the process is; clients
 * that reconnect bring themselves back.
 */
export function memoryBackend(): Backend {
  const rooms = new Map<string, MemoryRoom>()
  const revokeListeners = new Set<(memberId: string, room?: string) => void>()
  return {
    async open(id, options) {
      const room = rooms.get(id) ?? new MemoryRoom(options)
      rooms.set(id, room)
      const { state, close } = room.listen(options.onCommit)
      return {
        state,
        act: async (actions) => room.act(actions),
        // Nothing is ever on its way.
        refresh: async () => {},
        async close() {
          close()
          if (room.isUnused && rooms.get(id) === room) rooms.delete(id)
        },
      } satisfies BackendRoom
    },
    ready: async () => {},
    async revoke(memberId, room) {
      // Told first: whose stream it is, where nobody has a name, is known only while they are in the room.
      for (const listener of revokeListeners) listener(memberId, room)
      const concerned = room === undefined ? [...rooms.values()] : [rooms.get(room)]
      for (const each of concerned) each?.act([{ type: 'revoke', memberId }])
    },
    onRevoke(listener) {
      revokeListeners.add(listener)
      return () => revokeListeners.delete(listener)
    },
    // Memory is never out of reach.
    onHealth: () => () => {},
    async close() {
      rooms.clear()
      revokeListeners.clear()
    },
  }
}

class MemoryRoom {
  readonly #room: RoomMachine
  readonly #options: RoomOptions
  readonly #leaseClock: LeaseClock
  readonly #listeners = new Set<(commit: Commit) => void>()

  constructor(options: RoomOptions) {
    const now = options.clock.now()
    this.#options = options
    this.#leaseClock = new LeaseClock(now, options.sweepMs)
    this.#room = new RoomMachine(newEpoch(), micros(now), options.rules)
  }

  get isUnused(): boolean {
    return this.#listeners.size === 0 && this.#room.isEmpty
  }

  listen(listener: (commit: Commit) => void) {
    this.#listeners.add(listener)
    return { state: this.#room.state(), close: () => void this.#listeners.delete(listener) }
  }

  act(actions: Action[]): Outcome[] {
    const now = this.#options.clock.now()
    const { outcomes, commit } = this.#room.act(actions, this.#leaseClock.read(now), micros(now))
    if (commit) for (const listener of this.#listeners) listener(commit)
    return outcomes
  }
}

const micros = (ms: number) => Math.floor(ms * 1_000)
