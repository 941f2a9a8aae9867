import type { Clock } from '../../src/shared/clock.js'
import { LocationError } from 'hereabouts'
import type {
  GetLocationsOutput,
  OnLocationInput,
  PostLocationInput,
  PostLocationOutput,
} from '../../src/shared/call-types.js'
import type { LockLocationInput, UnlockLocationInput } from '../../src/shared/lock-types.js'
import { parseEventId } from '../../src/shared/event-id.js'
import { anonymousMemberIdOf, connectionIdOf } from '../../src/server/rules/ids.js'
import type { Lock } from '../../src/client/index.js'
import { openRoom, type Room } from '../../src/client/room/room.js'
import type { Transport } from '../../src/client/connection/transport.js'
import type { StreamListener } from '../../src/client/connection/stream-types.js'
import type { Chance } from './chance.js'
import type { SimClock } from './sim-clock.js'
import type { Laws } from './laws.js'
import { roomId, type Place, type SimBroadcast, type SimEvent, type SimNode, type SimTypes } from './sim-node.js'

type SimRoom = Omit<Room<SimTypes>, 'leave'>

/** The probabilities of faults between people (clients) and nodes: calls that are lost, repeated or slow. */
export type Roads = { lost: number; twice: number; slow: number }

/** The places that people lock. */
export const lockPlaces: readonly Place[] = [1, 2]

/**
 * One window with our real client, whose calls have random faults. The places that a person posts count up, so that an
 * older place after a newer one is noticed. Two windows of the same member have the same memberKey.
 */
export class SimPerson {
  readonly name: number
  readonly memberKey: string
  readonly memberId: string
  /** The number of the newest place that this person posted. */
  newest = 0
  fate: 'here' | 'crashed' | 'left' = 'here'
  /** The time at which an acknowledged leave was sent; `null` until then. */
  leftAt: number | null = null
  connectionId = ''
  /** The violations that this person observed. */
  readonly wrongs: string[] = []
  roads: Roads = { lost: 0, twice: 0, slow: 0 }
  /** Resolves when the lazily loaded code of locks and broadcasts is loaded, which takes real, not simulated, time. */
  readonly loaded: Promise<unknown>
  /** The locks that this window believes it holds, each with the number of its uses. */
  readonly #uses = new Map<Lock<SimTypes>, number>()
  readonly #clock: SimClock
  readonly #chance: Chance
  readonly #nodes: () => SimNode[]
  readonly #laws: Laws
  readonly #room: SimRoom
  readonly #close: () => Promise<void>
  readonly #streams = new Set<() => void>()
  readonly #shown = new Map<string, number>()
  #epoch = ''
  #connectionKey = ''
  #seq = 0
  readonly #sent = new Map<number, string>()

  constructor(
    name: number,
    { clock, chance, nodes, laws }: { clock: SimClock; chance: Chance; nodes: () => SimNode[]; laws: Laws },
    memberKey = String(name).padStart(22, '-'),
  ) {
    this.name = name
    this.memberKey = memberKey
    this.memberId = anonymousMemberIdOf(memberKey)
    this.#clock = clock
    this.#chance = chance
    this.#nodes = nodes
    this.#laws = laws
    const mine: Clock = {
      now: () => clock.now(),
      date: () => clock.date(),
      // Timers of a crashed person do nothing.
      after: (ms, run) => clock.after(ms, () => this.fate !== 'crashed' && run()),
    }
    const wire: Transport<SimTypes> = {
      clock: mine,
      memberKey,
      url: 'http://simulated',
      shareStream: null,
      lostMs: 5_000,
      idleMs: 60_000,
      awayMs: 0,
      ask: ({ lastEventId }, deadlineMs) => this.#within(deadlineMs, this.#ask(lastEventId)),
      openStream: (input, listener) => this.#openStream(input, listener),
      post: (input, deadlineMs) => this.#within(deadlineMs, this.#post(input)),
      call: (_, procedure, input, deadlineMs) => this.#within(deadlineMs, this.#call(procedure, input)),
      leave: ({ connectionKey, seq }) => this.#leave(connectionKey!, seq),
      report: (thrown) => void this.wrongs.push(String(thrown)),
    }
    const opened = openRoom<SimTypes>(roomId, wire, { location: name * 1_000 }, undefined)
    this.#room = opened.room as unknown as SimRoom
    this.#close = opened.close
    this.#room.onBroadcast('mark', ({ payload }) =>
      laws.broadcasts.heard(this, payload, this.#sent.get(payload) === this.connectionId),
    )
    this.#room.on('error', () => {})
    const sendNothing = this.#room.broadcast('mark', -1)
    const lockNothing = this.#room.lock(lockPlaces[0]!, { signal: AbortSignal.abort() })
    this.loaded = Promise.allSettled([sendNothing, lockNothing])
  }

  /** Returns what is wrong in this person's view when the store is at this event id, or `null`. */
  faultAt(id: string): string | null {
    if (this.#room.others.some(({ connections }) => connections.some(({ stale }) => stale)))
      return 'sees somebody stale'
    return this.#laws.views.faultOf<SimTypes>(id, this.#room, this.memberId, lockPlaces)
  }

  /** The locks that this window believes it holds. */
  get locks(): Lock<SimTypes>[] {
    return [...this.#uses.keys()]
  }

  get isLive(): boolean {
    return this.#room.status.state === 'live'
  }

  /** Posts the next place. Each person has a range of a thousand places. */
  move(): void {
    this.newest++
    this.#room.post(this.place)
  }

  get place(): number {
    return this.name * 1_000 + this.newest
  }

  /** Tries to lock a place, and gives up after a random time. */
  lock(place: Place, takeOver: boolean): void {
    const patience = new AbortController()
    this.#clock.after(this.#chance.between(50, 20_000), () => patience.abort(new Error('given up')))
    this.#room.lock(place, { signal: patience.signal, ...(takeOver && { takeOver }) }).then(
      (lock) => lock && this.#hold(lock),
      () => {},
    )
  }

  #hold(lock: Lock<SimTypes>): void {
    if (lock.signal.aborted) return
    this.#uses.set(lock, (this.#uses.get(lock) ?? 0) + 1)
    lock.signal.addEventListener('abort', () => this.#uses.delete(lock))
  }

  /** Ends one use of a lock. */
  release(): void {
    const [used] = this.#uses
    if (!used) return
    const [lock, uses] = used
    if (uses > 1) this.#uses.set(lock, uses - 1)
    else this.#uses.delete(lock)
    void lock.release()
  }

  /** Saves the row that a lock protects. Half of the saves first check `isLocked`, because not every app does. */
  async save(lock: Lock<SimTypes>): Promise<void> {
    const { location, fence } = lock
    const node = this.#chance.one(this.#nodes())
    try {
      await this.#travel(node)
      const since = this.#clock.wallMs()
      if (this.#chance.is(0.5)) {
        if (!(await node.isLocked(location, this.memberId, fence))) return
        this.#laws.locks.checked(location, this.memberId, fence, since)
      }
      // The transaction may be slow, and the lock may be released meanwhile.
      await this.#clock.pass(this.#chance.one([0.1, 5, 15_000]))
      this.#laws.locks.save(location, fence)
    } catch {
      // The request was lost, or the node has no connection to the store.
    }
  }

  say(to: string | null): void {
    const payload = this.#laws.broadcasts.say(to)
    this.#sent.set(payload, this.connectionId)
    void this.#room.broadcast('mark', payload, to === null ? {} : { to })
  }

  become(activity: 'active' | 'idle'): void {
    this.#room.update({ activity })
  }

  /** Sends a leave with this person's connectionKey, so that the client must continue with another key. */
  disown(): void {
    if (this.#connectionKey)
      void this.#chance
        .one(this.#nodes())
        .leave(this.#connectionKey, undefined)
        .catch(() => {})
  }

  /** Unloads the page for a reload: the last thing that it sends is a leave with a grace period. */
  unload(): void {
    const node = this.#chance.one(this.#nodes())
    const key = this.#connectionKey
    const seq = this.#seq
    this.crash(false)
    if (!key) return
    this.#travel(node)
      .then(() => node.leave(key, seq, 3_000))
      .catch(() => {})
  }

  leave(): void {
    this.fate = 'left'
    void this.#close()
  }

  /** Crashes the client without a leave. With `halfOpen` its streams stay open: the network reports nothing. */
  crash(halfOpen: boolean): void {
    this.fate = 'crashed'
    if (!halfOpen) for (const cut of this.#streams) cut()
  }

  /** Cuts this person's streams, as a network failure does. */
  cut(): void {
    for (const cut of this.#streams) cut()
  }

  #openStream(input: OnLocationInput, listener: StreamListener<SimTypes>): () => void {
    const node = this.#chance.one(this.#nodes())
    if (input.connectionKey) this.connectionId = connectionIdOf(input.connectionKey)
    let isOpen = true
    let isClosedByClient = false
    let leaveNode = () => {}
    const cut = () => {
      if (!isOpen) return
      close()
      this.#clock.after(this.#chance.between(1, 50), () => {
        // The client of a crashed person is not notified, and so does not begin to poll.
        if (this.fate === 'crashed' || isClosedByClient) return
        listener.ended({ error: new LocationError('network', 'The stream was cut.'), retry: true })
      })
    }
    const close = () => {
      isOpen = false
      this.#streams.delete(cut)
      leaveNode()
    }
    this.#streams.add(cut)
    const attach = async () => {
      await this.#travel(node)
      const subscriber = await node.subscribe(input)
      leaveNode = () => subscriber.close()
      if (!isOpen) return leaveNode()
      const log = this.#laws.broadcasts.opened(node, this.memberId, this.#clock.wallMs())
      let arrivesAt = 0
      const drain = () => {
        for (let frame = subscriber.take(); frame; frame = subscriber.take()) {
          const { id, event } = frame
          if (event.type === 'broadcast')
            this.#laws.broadcasts.took(log, event.items, frame.version, this.#clock.wallMs())
          arrivesAt = Math.max(arrivesAt, this.#clock.now() + this.#chance.between(0.5, 20))
          this.#clock.after(arrivesAt - this.#clock.now(), () => {
            if (!isOpen || node.isDead || this.fate === 'crashed') return
            listener.heard()
            listener.event(id, event as SimEvent)
            // An event that the view rejects as outdated closes the stream, and then there is nothing to check.
            if (isOpen && (event.type === 'snapshot' || event.type === 'changes')) this.#watch(id)
          })
        }
        if (subscriber.isClosed) this.#clock.after(20, cut)
      }
      subscriber.onOwed = drain
      drain()
    }
    attach().catch(cut)
    return () => {
      isClosedByClient = true
      close()
    }
  }

  /** Checks the view after an event: no other person may step back to an older place, except in a new epoch. */
  #watch(id: string): void {
    const { epoch } = parseEventId(id)!
    if (epoch !== this.#epoch) this.#shown.clear()
    this.#epoch = epoch
    const fault = this.#laws.views.faultOf<SimTypes>(id, this.#room, this.memberId, lockPlaces)
    if (fault) this.wrongs.push(fault)
    for (const { connections } of this.#room.others) {
      for (const { connectionId, location, stale } of connections) {
        if (location === null || stale) continue
        const before = this.#shown.get(connectionId) ?? 0
        if (location < before) this.wrongs.push(`saw ${connectionId} go back from ${before} to ${location}`)
        this.#shown.set(connectionId, location)
      }
    }
  }

  async #ask(lastEventId: string | null | undefined): Promise<GetLocationsOutput<SimTypes>> {
    const node = this.#chance.one(this.#nodes())
    await this.#travel(node)
    return node.ask(lastEventId)
  }

  #post(input: PostLocationInput<SimTypes>): Promise<PostLocationOutput> {
    this.#connectionKey = input.connectionKey!
    this.#seq = input.seq!
    return this.#request((node) => node.post(input))
  }

  #call(procedure: string, input: unknown): Promise<unknown> {
    if (procedure === 'lockLocation') return this.#request((node) => node.lock(input as LockLocationInput))
    if (procedure === 'unlockLocation') return this.#request((node) => node.unlock(input as UnlockLocationInput))
    return this.#request((node) => node.broadcast(input as SimBroadcast))
  }

  async #request<R>(run: (node: SimNode) => Promise<R>): Promise<R> {
    const node = this.#chance.one(this.#nodes())
    // Some proxies repeat a call by themselves, much later and at another node.
    if (this.#chance.is(this.roads.twice)) {
      const again = this.#chance.one(this.#nodes())
      this.#clock.after(this.#chance.between(10, 15_000), () => void run(again).catch(() => {}))
    }
    await this.#travel(node)
    const reply = await run(node)
    await this.#travel(node)
    return reply
  }

  async #leave(connectionKey: string, seq: number | undefined): Promise<void> {
    const node = this.#chance.one(this.#nodes())
    const sentAt = this.#clock.now()
    await this.#clock.pass(this.#chance.between(0.5, 20))
    // Half of the leaves have no seq, because not every client sends one.
    await node.leave(connectionKey, this.#chance.is(0.5) ? seq : undefined)
    this.leftAt = sentAt
  }

  #within<T>(deadlineMs: number, answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#clock.after(deadlineMs, () => reject(new Error('no answer in time')))
      answer.then(resolve, reject)
    })
  }

  async #travel(node: SimNode): Promise<void> {
    const isSlow = this.#chance.is(this.roads.slow)
    await this.#clock.pass(isSlow ? this.#chance.between(20, 8_000) : this.#chance.between(0.5, 20))
    if (node.isDead || this.#chance.is(this.roads.lost)) throw new Error('lost')
  }
}
