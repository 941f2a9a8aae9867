import type { BroadcastItem } from 'hereabouts'
import type { SimNode } from './sim-node.js'

/** One stream as its reader got it. */
export type StreamLog = { node: SimNode; since: number; memberId: string; keys: string[] }

/** A broadcast may be this long on its way to a node that has it open, in milliseconds: more would be a replay. */
const longestWayMs = 1_000
const patienceMs = 100

/**
 * Checks the laws of broadcasts: each stream gets one at most once, in the order of its node, only those that were sent while
 * it was open, and none for another member; and nobody hears one twice, or their own.
 */
export class BroadcastWatch {
  readonly wrongs: string[] = []
  readonly counts = { said: 0, taken: 0, heard: 0 }
  /** To whom each was sent; `null` is everybody. */
  readonly #to: (string | null)[] = []
  readonly #streams: StreamLog[] = []
  readonly #heard = new Map<object, Set<number>>()

  /** Returns the payload of a new broadcast. */
  say(to: string | null): number {
    this.counts.said += 1
    return this.#to.push(to) - 1
  }

  opened(node: SimNode, memberId: string, since: number): StreamLog {
    const log = { node, since, memberId, keys: [] }
    this.#streams.push(log)
    return log
  }

  /** @param version the version that the stream has shown. */
  took(log: StreamLog, items: readonly BroadcastItem[], version: number, now: number): void {
    for (const item of items) {
      const payload = item.payload as number
      // A proxy that repeats a call makes a second broadcast, at another time.
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

  /** A listener was called. `isOwn`: the connection that listens had sent it. */
  heard(listener: object, payload: number, isOwn: boolean): void {
    const heard = this.#heard.get(listener) ?? new Set()
    if (heard.has(payload)) this.#say(`heard broadcast ${payload} twice`)
    if (isOwn) this.#say(`heard its own broadcast ${payload}`)
    this.#heard.set(listener, heard.add(payload))
    this.counts.heard += 1
  }

  /** All streams of one node have one order. */
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
