import type { BroadcastItem } from 'hereabouts'
import type { SimNode } from './sim-node.js'

/** A log of one stream: `keys` are the broadcasts that its reader received, in their order. */
export type StreamLog = { node: SimNode; since: number; memberId: string; keys: string[] }

/** The longest delivery time of a broadcast to a node that has the room open. One that is older would be a replay. */
const longestWayMs = 1_000
const patienceMs = 100

/**
 * Checks the laws of broadcasts. A stream receives each broadcast at most once, in the order of its node, only if the
 * broadcast was sent while the stream was open, and never one for another member. A listener is called at most once for
 * each broadcast, and not for those of its own connection.
 */
export class BroadcastWatch {
  readonly wrongs: string[] = []
  readonly counts = { said: 0, taken: 0, heard: 0 }
  /** The member to whom each broadcast was sent, by its payload; `null` means everybody. */
  readonly #to: (string | null)[] = []
  readonly #streams: StreamLog[] = []
  readonly #heard = new Map<object, Set<number>>()

  /** Records a new broadcast for a member, or for everybody. Returns its payload. */
  say(to: string | null): number {
    this.counts.said += 1
    return this.#to.push(to) - 1
  }

  opened(node: SimNode, memberId: string, since: number): StreamLog {
    const log = { node, since, memberId, keys: [] }
    this.#streams.push(log)
    return log
  }

  /** Checks broadcasts that a stream received. @param version the room version that the stream had sent before. */
  took(log: StreamLog, items: readonly BroadcastItem[], version: number, now: number): void {
    for (const item of items) {
      const payload = item.payload as number
      // When a proxy repeats a call, the payload is broadcast twice, so the time is part of the key.
      const key = `${payload} of ${item.at}`
      const ageMs = now - item.at / 1_000
      const to = this.#to[payload]
      if (log.keys.includes(key)) this.#say(`a stream got ${key} twice`)
      if (item.at / 1_000 < log.since - longestWayMs) this.#say(`a stream got ${key} from before it was open`)
      if (to !== null && to !== log.memberId) this.#say(`${log.memberId} got ${key}, which is for ${to}`)
      if (version < item.after && ageMs < patienceMs) this.#say(`${key} overtook the state that its sender had seen`)
      log.keys.push(key)
      this.counts.taken += 1
    }
  }

  /** Called when a listener is called. `isOwn`: the broadcast was sent by the listener's own connection. */
  heard(listener: object, payload: number, isOwn: boolean): void {
    const heard = this.#heard.get(listener) ?? new Set()
    if (heard.has(payload)) this.#say(`heard broadcast ${payload} twice`)
    if (isOwn) this.#say(`heard its own broadcast ${payload}`)
    this.#heard.set(listener, heard.add(payload))
    this.counts.heard += 1
  }

  /** Checks that all streams of one node received their common broadcasts in the same order. */
  compareOrders(): void {
    for (const [i, one] of this.#streams.entries())
      for (const other of this.#streams.slice(i + 1)) {
        if (one.node !== other.node) continue
        const common = one.keys.filter((key) => other.keys.includes(key)).join()
        const theirs = other.keys.filter((key) => one.keys.includes(key)).join()
        if (common !== theirs) this.#say(`two streams of one node got ${common} and ${theirs}`)
      }
  }

  #say(wrong: string): void {
    this.wrongs.push(wrong)
  }
}
