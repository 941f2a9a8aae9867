import type { Clock } from '../../../shared/clock.js'
import type { Action, BackendRoom, Outcome, RoomOptions, RoomState } from '../../rules/backend.js'
import { newEpoch } from '../../rules/ids.js'
import { decodeCommit, decodeReply, encodeCall, maxActions, type Announced, type Reply } from './script-codec.js'
import { pollIntervals } from './poll-intervals.js'
import { CommitOrder } from './commit-order.js'
import type { RedisHealth } from './health/redis-health.js'
import type { RedisPort } from './clients/client-port.js'
import { actScript, broadcastMark, broadcastScript } from './script.js'

export type RedisRoomOptions = RoomOptions & {
  port: RedisPort
  redis: RedisHealth
  keys: string[]
  keepMs: number
  /** The clock that rooms use instead of the clock of Redis; `null`: rooms use the clock of Redis. */
  time: Clock | null
  /** Returns a random number from 0 to 1, for jitter. */
  random: () => number
}

/** A room in Redis that this process has open. Announcements are hints; the stored hash is authoritative. */
export class RedisRoom implements BackendRoom {
  readonly state: RoomState
  readonly redis: RedisHealth
  readonly #options: RedisRoomOptions
  readonly #intervals: ReturnType<typeof pollIntervals>
  readonly #order: CommitOrder
  readonly #unsubscribe: () => Promise<void>
  #catchingUp: Promise<void> | null = null
  /** Ends the wait for a late announcement. */
  #endWait: () => void = () => {}
  #readAt = -Infinity
  #lastCallAt: number
  /** The time before which no lease ends and no tombstone is purged. */
  #quietUntil = -Infinity
  #isClosed = false
  /** The revoked members whose connections in this room must still be ended. */
  readonly #revoked = new Set<string>()

  static async open(options: RedisRoomOptions): Promise<RedisRoom> {
    // Subscribe first, then read: messages that arrive in between are buffered.
    const early: string[] = []
    let receive = (message: string): void => void early.push(message)
    const subscribing = options.port.subscribe(options.keys[0]!, (message) => receive(message))
    try {
      const unsubscribe = await options.redis.subscribedWithin(subscribing)
      const { settleMs } = pollIntervals(options.sweepMs)
      const reply = await call(options, [{ type: 'sweep' }], { reads: true, renews: options.redis.upMs < settleMs })
      const room = new RedisRoom(options, reply, unsubscribe)
      receive = (message) => room.#receive(message)
      early.forEach(receive)
      return room
    } catch (error) {
      // The subscription may still succeed after the caller stopped waiting. It is ended then.
      subscribing.then((unsubscribe) => unsubscribe()).catch(() => {})
      throw error
    }
  }

  private constructor(options: RedisRoomOptions, reply: Reply, unsubscribe: () => Promise<void>) {
    this.state = reply.state!
    this.redis = options.redis
    this.#options = options
    this.#intervals = pollIntervals(options.sweepMs)
    this.#order = new CommitOrder(reply)
    this.#unsubscribe = unsubscribe
    this.#lastCallAt = options.clock.now()
    this.#quietUntil = this.#lastCallAt + reply.dueMs
    this.#pollLater()
  }

  async act(actions: Action[]): Promise<Outcome[]> {
    const isQuiet = this.#options.clock.now() < this.#quietUntil
    if (isQuiet && actions.every(({ type }) => type === 'sweep')) return actions.map(() => ({ type: 'done' }))
    const outcomes: Outcome[] = []
    for (let i = 0; i < actions.length; i += maxActions)
      outcomes.push(...(await this.#call(actions.slice(i, i + maxActions))).outcomes)
    if (this.#order.isBehind) await this.#catchUp()
    return outcomes
  }

  /** Publishes a text on the room's channel. Nothing is stored. */
  async broadcast(text: string): Promise<void> {
    const { redis, keys } = this.#options
    await redis.run(broadcastScript, [keys[0]!], [text])
  }

  /** Resolves when this process has every commit that the room had at the time of the call. */
  async refresh(): Promise<void> {
    const revoked = [...this.#revoked]
    this.#revoked.clear()
    try {
      await this.#call(revoked.map((memberId) => ({ type: 'revoke', memberId })))
    } catch (error) {
      for (const memberId of revoked) this.#revoked.add(memberId)
      throw error
    }
    if (this.#order.isBehind) await this.#catchUp()
  }

  /** Ends a member's connections: now or, when Redis is unreachable, at the next refresh. */
  async revoke(memberId: string): Promise<void> {
    this.#revoked.add(memberId)
    await this.refresh()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#endWait()
    await this.redis.subscribedWithin(this.#unsubscribe())
  }

  async #call(actions: Action[], reads = false): Promise<Reply> {
    const reply = await call(this.#options, actions, { reads, renews: true })
    this.#lastCallAt = this.#options.clock.now()
    this.#quietUntil = this.#lastCallAt + reply.dueMs
    if (reply.commit !== '') this.#receive(reply.commit)
    this.#order.heard(reply)
    return reply
  }

  #receive(message: string): void {
    if (message.startsWith(broadcastMark)) {
      if (!this.#isClosed) this.#options.onBroadcast?.(message.slice(broadcastMark.length))
      return
    }
    const commit = decodeCommit(message)
    if (!commit || this.#isClosed) return
    this.#deliver(this.#order.take(commit))
    if (this.#order.isBehind) this.#catchUp().catch(() => {})
    else this.#endWait()
  }

  #deliver(commits: Announced[]): void {
    for (const commit of commits) this.#options.onCommit(commit.open())
  }

  /** Waits briefly for announcements in flight. If one does not arrive, it was lost, and the room is read again. */
  #catchUp(): Promise<void> {
    return (this.#catchingUp ??= this.#repair().finally(() => (this.#catchingUp = null)))
  }

  async #repair(): Promise<void> {
    const { clock, random } = this.#options
    const { lateMs, readMs } = this.#intervals
    await this.#wait(lateMs)
    if (!this.#order.isBehind) return
    // All processes may have lost the same announcement: jitter spreads their reads, and readMs limits how often they read.
    await this.#wait(Math.max(this.#readAt + readMs - clock.now(), 0) + random() * lateMs)
    if (!this.#order.isBehind || this.#isClosed) return
    this.#readAt = clock.now()
    await this.#read().catch(() => {})
  }

  async #read(): Promise<void> {
    const { state } = await this.#call([], true)
    const following = this.#order.reset(state!)
    if (!following || this.#isClosed) return
    this.#options.onReset(state!)
    this.#deliver(following)
  }

  /** Waits for `ms`, or until no commit is missing. */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve)
      this.#endWait = () => {
        cancel()
        resolve()
      }
    })
  }

  #pollLater(): void {
    const { clock, random, redis } = this.#options
    const { pollMs } = this.#intervals
    clock.after(pollMs * (0.5 + 0.5 * random()), () => {
      if (this.#isClosed) return
      const isDue = clock.now() - this.#lastCallAt >= pollMs / 2
      if (isDue && redis.isAnswering) this.refresh().catch(() => {})
      this.#pollLater()
    })
  }
}

async function call(
  { redis, keys, keepMs, time, rules, sweepMs }: RedisRoomOptions,
  actions: Action[],
  { reads, renews }: { reads: boolean; renews: boolean },
): Promise<Reply> {
  const nowMicros = time ? time.date().getTime() * 1_000 : null
  const { outageMs } = pollIntervals(sweepMs)
  const header = { freshEpoch: newEpoch(), nowMicros, outageMs, renews, keepMs, reads, ...rules }
  return decodeReply(await redis.run(actScript, keys, encodeCall(header, actions)))
}
