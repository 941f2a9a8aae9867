import type { Clock } from '../../../shared/clock.js'
import type { Action, BackendRoom, Outcome, RoomOptions, RoomState } from '../../rules/backend.js'
import { newEpoch } from '../../rules/ids.js'
import { decodeCommit, decodeReply, encodeCall, maxActions, type Announced, type Reply } from './script-codec.js'
import { pollIntervals } from './poll-intervals.js'
import { CommitOrder } from './commit-order.js'
import type { RedisHealth } from './redis-health.js'
import type { RedisPort } from './client-port.js'
import { actScript } from './script.js'

export type RedisRoomOptions = RoomOptions & {
  port: RedisPort
  link: RedisHealth
  keys: string[]
  keepMs: number
  /** The time that rooms go by, in place of that of Redis. */
  time: Clock | null
  /** 0 to 1. */
  random: () => number
}

/** One room in Redis, as this process has it open. What is announced is a hint; the hash is the truth. */
export class RedisRoom implements BackendRoom {
  readonly state: RoomState
  readonly link: RedisHealth
  readonly #options: RedisRoomOptions
  readonly #cadence: ReturnType<typeof pollIntervals>
  readonly #chain: CommitOrder
  readonly #unsubscribe: () => Promise<void>
  #catchingUp: Promise<void> | null = null
  /** Ends the wait for an announcement that is late. */
  #cameInTime: () => void = () => {}
  #readAt = -Infinity
  #askedAt: number
  /** Nothing is due before this time. */
  #quietUntil = -Infinity
  #isClosed = false
  /** Members whose connections are still to be ended. */
  readonly #revoked = new Set<string>()

  static async open(options: RedisRoomOptions): Promise<RedisRoom> {
    // First listen, then read: what comes in between waits.
    const early: string[] = []
    let hear = (message: string): void => void early.push(message)
    const subscribing = options.port.subscribe(options.keys[0]!, (message) => hear(message))
    try {
      const unsubscribe = await options.link.within(subscribing)
      const { settleMs } = pollIntervals(options.sweepMs)
      const reply = await call(options, [{ type: 'sweep' }], { reads: true, renews: options.link.upMs < settleMs })
      const room = new RedisRoom(options, reply, unsubscribe)
      hear = (message) => room.#hear(message)
      early.forEach(hear)
      return room
    } catch (error) {
      // It may still succeed, when nobody waits for it any more.
      subscribing.then((unsubscribe) => unsubscribe()).catch(() => {})
      throw error
    }
  }

  private constructor(options: RedisRoomOptions, reply: Reply, unsubscribe: () => Promise<void>) {
    this.state = reply.state!
    this.link = options.link
    this.#options = options
    this.#cadence = pollIntervals(options.sweepMs)
    this.#chain = new CommitOrder(reply)
    this.#unsubscribe = unsubscribe
    this.#askedAt = options.clock.now()
    this.#quietUntil = this.#askedAt + reply.dueMs
    this.#pollLater()
  }

  async act(actions: Action[]): Promise<Outcome[]> {
    const isQuiet = this.#options.clock.now() < this.#quietUntil
    if (isQuiet && actions.every(({ type }) => type === 'sweep')) return actions.map(() => ({ type: 'done' }))
    const outcomes: Outcome[] = []
    for (let i = 0; i < actions.length; i += maxActions)
      outcomes.push(...(await this.#call(actions.slice(i, i + maxActions))).outcomes)
    if (this.#chain.isBehind) await this.#catchUp()
    return outcomes
  }

  /** Has all that the room had when this was called. */
  async refresh(): Promise<void> {
    const revoked = [...this.#revoked]
    this.#revoked.clear()
    try {
      await this.#call(revoked.map((memberId) => ({ type: 'revoke', memberId })))
    } catch (error) {
      for (const memberId of revoked) this.#revoked.add(memberId)
      throw error
    }
    if (this.#chain.isBehind) await this.#catchUp()
  }

  /** Ends a member's connections: now or, out of reach, as soon as it is looked at again. */
  async revoke(memberId: string): Promise<void> {
    this.#revoked.add(memberId)
    await this.refresh()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cameInTime()
    await this.link.within(this.#unsubscribe())
  }

  async #call(actions: Action[], reads = false): Promise<Reply> {
    const reply = await call(this.#options, actions, { reads, renews: true })
    this.#askedAt = this.#options.clock.now()
    this.#quietUntil = this.#askedAt + reply.dueMs
    if (reply.commit !== '') this.#hear(reply.commit)
    this.#chain.heard(reply)
    return reply
  }

  #hear(message: string): void {
    const commit = decodeCommit(message)
    if (!commit || this.#isClosed) return
    this.#show(this.#chain.take(commit))
    if (this.#chain.isBehind) this.#catchUp().catch(() => {})
    else this.#cameInTime()
  }

  #show(commits: Announced[]): void {
    for (const commit of commits) this.#options.onCommit(commit.open())
  }

  /** Waits a moment for what is on its way; what does not come was lost, and the room is read again. */
  #catchUp(): Promise<void> {
    return (this.#catchingUp ??= this.#repair().finally(() => (this.#catchingUp = null)))
  }

  async #repair(): Promise<void> {
    const { clock, random } = this.#options
    const { lateMs, readMs } = this.#cadence
    await this.#wait(lateMs)
    if (!this.#chain.isBehind) return
    // All processes lost the same announcement: they do not all read at once, nor more often than they must.
    await this.#wait(Math.max(this.#readAt + readMs - clock.now(), 0) + random() * lateMs)
    if (!this.#chain.isBehind || this.#isClosed) return
    this.#readAt = clock.now()
    await this.#read().catch(() => {})
  }

  async #read(): Promise<void> {
    const { state } = await this.#call([], true)
    const following = this.#chain.reset(state!)
    if (!following || this.#isClosed) return
    this.#options.onReset(state!)
    this.#show(following)
  }

  /** Until then, or until all is there. */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const callOff = this.#options.clock.after(ms, resolve)
      this.#cameInTime = () => {
        callOff()
        resolve()
      }
    })
  }

  #pollLater(): void {
    const { clock, random, link } = this.#options
    const { pollMs } = this.#cadence
    clock.after(pollMs * (0.5 + 0.5 * random()), () => {
      if (this.#isClosed) return
      const isDue = clock.now() - this.#askedAt >= pollMs / 2
      if (isDue && link.health === 'up') this.refresh().catch(() => {})
      this.#pollLater()
    })
  }
}

async function call(
  { link, keys, keepMs, time, rules, sweepMs }: RedisRoomOptions,
  actions: Action[],
  { reads, renews }: { reads: boolean; renews: boolean },
): Promise<Reply> {
  const nowMicros = time ? Math.floor(time.now() * 1_000) : null
  const { outageMs } = pollIntervals(sweepMs)
  const header = { freshEpoch: newEpoch(), nowMicros, outageMs, renews, keepMs, reads, ...rules }
  return decodeReply(await link.run(actScript, keys, encodeCall(header, actions)))
}
