import type { LocationError } from '../../shared/errors.js'
import type { parseEventId } from '../../shared/event-id.js'
import type { Hello } from '../../shared/events.js'
import type { LockLocationOutput } from '../../shared/lock-types.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { retryDelayMs, RetryContext } from '../connection/connection-state.js'
import type { ServerConnection } from '../connection/connection.js'
import type { failureOf } from '../connection/failure.js'
import type { Transport } from '../connection/transport.js'
import type { canonicalText } from '../store/same-json.js'
import type { Store } from '../store/store.js'
import type { Lock, LockOptions } from './lock-types.js'

/** The parts of a room that its locks use. */
export interface RoomLocksOptions<T extends RoomTypes> {
  room: string
  transport: Transport<T>
  store: Store<T>
  pace: { timing: Pick<Hello, 'beatMs' | 'features' | 'locks'>; context(): RetryContext; deadlineMs(): number }
  /** Our own presence: its key, when the newest accepted post was sent, and ways to post. */
  presence: {
    readonly key: string | undefined
    readonly acceptedAt: number
    flush(): Promise<void>
    postAgain(): void
    hasten(): void
  }
}

/** A place that we hold, or want. `users`: how often it was taken and not released. */
type Place<T extends RoomTypes> = {
  readonly text: string
  readonly location: T['location']
  users: number
  fence: number
  /** The epoch in which the fence counts. */
  epoch: string | undefined
  /** The room has shown the lock. */
  isSeen: boolean
  isClaiming: boolean
  lock: Lock<T> | null
  readonly lost: AbortController
  taking: Promise<Lock<T> | null> | null
}

/**
 * The locks of a joined room: takes and releases places, claims them again after the server lost its state, and notices by
 * its own clock when the server can no longer know that we hold them.
 */
export class RoomLocks<T extends RoomTypes> {
  readonly #options: RoomLocksOptions<T>
  readonly #connection: Pick<ServerConnection, 'connect'>
  readonly #LocationError: typeof LocationError
  readonly #failureOf: typeof failureOf
  readonly #textOf: typeof canonicalText
  readonly #idOf: typeof parseEventId
  readonly #delayMs: typeof retryDelayMs
  readonly #places = new Map<string, Place<T>>()
  /** Locks of our connection that nobody here asked for, with the time at which they were noticed. */
  readonly #strays = new Map<number, number>()
  readonly #unsubscribe: () => void
  #calls: Promise<unknown> = Promise.resolve()
  #lockSeq = 0
  #stopTimer = () => {}
  #stopRetry: (() => void) | null = null
  #idleSince: number | null = null
  #isClosed = false

  // Code that the first load has is given, not imported: an import would split it off into a chunk of its own.
  constructor(
    options: RoomLocksOptions<T>,
    connection: Pick<ServerConnection, 'connect'>,
    LocationErrorClass: typeof LocationError,
    failure: typeof failureOf,
    textOf: typeof canonicalText,
    idOf: typeof parseEventId,
    delayMs: typeof retryDelayMs,
  ) {
    this.#options = options
    this.#connection = connection
    this.#LocationError = LocationErrorClass
    this.#failureOf = failure
    this.#textOf = textOf
    this.#idOf = idOf
    this.#delayMs = delayMs
    this.#unsubscribe = options.store.subscribe(() => this.#check())
  }

  async lock(location: T['location'], { signal, takeOver }: LockOptions = {}): Promise<Lock<T> | null> {
    signal?.throwIfAborted()
    const text = this.#textOf(location)
    const place = this.#places.get(text) ?? this.#newPlace(text)
    place.users += 1
    try {
      const lock = await until(signal, place.lock ?? (place.taking ??= this.#take(place, takeOver)))
      if (!lock) this.#forget(place)
      return lock
    } catch (error) {
      void this.#release(place)
      throw error
    }
  }

  /** The room is left, and all locks with it. */
  #close(): void {
    this.#isClosed = true
    this.#unsubscribe()
    this.#stopTimer()
    this.#stopRetry?.()
    for (const place of this.#places.values()) this.#lose(place)
  }

  #newPlace(text: string): Place<T> {
    const lost = new AbortController()
    const place: Place<T> = {
      text,
      location: JSON.parse(text) as T['location'],
      users: 0,
      fence: 0,
      epoch: undefined,
      isSeen: false,
      isClaiming: false,
      lock: null,
      lost,
      taking: null,
    }
    this.#places.set(text, place)
    return place
  }

  async #take(place: Place<T>, takeOver?: true): Promise<Lock<T> | null> {
    const reply = await this.#ask(place, takeOver ? { takeOver } : {})
    if (reply?.outcome !== 'locked') return null
    // Given up, and asked for again meanwhile: the lock is the newer asker's, whose call is answered with the same fence.
    if (place.users === 0 && this.#places.has(place.text)) return null
    this.#granted(place, reply.fence)
    place.lock = lockOf(place, () => this.#release(place))
    // Every caller gave up meanwhile.
    if (place.users === 0) void this.#release(place)
    this.#check()
    return place.lock
  }

  #granted(place: Place<T>, fence: number): void {
    Object.assign(place, { fence, epoch: this.#epoch, isSeen: false })
  }

  get #epoch(): string | undefined {
    return this.#idOf(this.#options.store.view.id)?.epoch
  }

  /** Asks until the server decides. `null`: nobody wants the place any more, or it was lost. */
  async #ask(place: Place<T>, own: { takeOver?: true; claim?: number }): Promise<LockLocationOutput | null> {
    const { presence, pace, store } = this.#options
    for (let failures = 0; ;) {
      await presence.flush()
      await store.expect(() => store.view.id !== null || this.#isClosed)
      if (this.#isClosed) throw new this.#LocationError('closed', 'The room was left: join it again.')
      // Before the first hello, and while polling, only the server knows.
      if (pace.timing.features && !pace.timing.locks)
        throw new this.#LocationError('misconfigured', 'This server has no locks: set `locks: true` on its hub.')
      if (place.users === 0 || place.lost.signal.aborted) return null
      try {
        const reply = await this.#call<LockLocationOutput>('lockLocation', { location: place.location, ...own })
        failures += 1
        if (reply.outcome === 'taken' && reply.holder === null) await this.#wait(reply.retryAfterMs ?? 1_000)
        else if (reply.outcome === 'absent' || reply.outcome === 'stale') await this.#enterAgain(failures)
        else return reply
      } catch (thrown) {
        const { error, retry } = this.#failureOf(thrown)
        if (!retry) throw error
        failures += 1
        await this.#wait(this.#delayMs(failures, error, pace.context()))
      }
    }
  }

  /** The server does not count us as present: a post of ours will. */
  async #enterAgain(failures: number): Promise<void> {
    const { presence, pace } = this.#options
    if (failures > 1) presence.postAgain()
    await this.#wait((pace.timing.beatMs / 20) * Math.min(failures, 10))
  }

  /** Calls one after the other, so that they arrive in the order of their numbers. */
  #call<R>(procedure: 'lockLocation' | 'unlockLocation', own: object): Promise<R> {
    const { room, transport, presence, pace } = this.#options
    const send = () => {
      const input = { room, connectionKey: presence.key, lockSeq: ++this.#lockSeq, ...own }
      return transport.call('mutation', procedure, input, pace.deadlineMs()) as Promise<R>
    }
    const answer = this.#calls.then(send, send)
    this.#calls = answer
    return answer
  }

  async #release(place: Place<T>): Promise<void> {
    place.users = Math.max(0, place.users - 1)
    if (place.users > 0) return
    const wasHeld = place.lock !== null && !place.lost.signal.aborted
    this.#forget(place)
    if (!wasHeld || this.#isClosed) return
    await this.#unlock(place.location, place.fence)
  }

  /** Best effort: a lock that stays is found in the room, and released again. */
  async #unlock(location: T['location'], fence: number): Promise<void> {
    await this.#call('unlockLocation', { location, fence }).catch(() => {})
  }

  #forget(place: Place<T>): void {
    if (this.#places.get(place.text) === place) this.#places.delete(place.text)
  }

  #lose(place: Place<T>): void {
    this.#forget(place)
    place.lost.abort(new this.#LocationError('unavailable', 'The lock was lost: somebody else may edit this place.'))
  }

  /** Compares what we hold with what the room shows, and with the time. */
  #check(): void {
    const { status } = this.#options.store.snapshot
    if (this.#isClosed) return
    if (status.state === 'closed' && !status.error) return this.#close()
    const held = Array.from(this.#places.values()).filter(({ lock }) => lock)
    for (const place of held) this.#compare(place)
    this.#watchStrays()
    this.#watchTime()
    this.#hurry()
  }

  #compare(place: Place<T>): void {
    const { view } = this.#options.store
    const id = this.#idOf(view.id)
    if (!id || place.isClaiming) return
    if (id.epoch !== (place.epoch ??= id.epoch)) return void this.#claim(place)
    const isShown = this.#own?.some(({ fence }) => fence === place.fence) ?? false
    if (isShown) place.isSeen = true
    else if (place.isSeen || id.version >= place.fence) this.#lose(place)
  }

  get #own() {
    const { store } = this.#options
    const { connectionId } = store.own({})
    return connectionId === null ? undefined : store.view.connections.get(connectionId)?.locks
  }

  /** The server lost its state: what we held may become ours again. */
  async #claim(place: Place<T>): Promise<void> {
    place.isClaiming = true
    const reply = await this.#ask(place, { claim: place.fence }).catch(() => null)
    place.isClaiming = false
    if (reply?.outcome === 'locked') this.#granted(place, reply.fence)
    else this.#lose(place)
    this.#check()
  }

  /** Releases the locks of our connection that nobody here has or wants, such as those of calls that were given up. */
  #watchStrays(): void {
    const { clock } = this.#options.transport
    const wanted = new Set(this.#places.keys())
    const strays = (this.#own ?? []).filter(({ location }) => !wanted.has(this.#textOf(location)))
    for (const fence of this.#strays.keys())
      if (!strays.some((stray) => stray.fence === fence)) this.#strays.delete(fence)
    for (const { location, fence } of strays) {
      const since = this.#strays.get(fence)
      if (since === undefined) this.#strays.set(fence, clock.now())
      else if (clock.now() - since >= this.#strayMs) {
        this.#strays.set(fence, clock.now())
        void this.#unlock(location, fence)
      }
    }
  }

  get #strayMs(): number {
    return this.#options.pace.timing.beatMs / 2
  }

  /** Ends what the server can no longer know to be ours, and what an idle page keeps from others. */
  #watchTime(): void {
    const { transport, presence, pace, store } = this.#options
    const { clock } = transport
    const { locks } = pace.timing
    const lockMs = Math.min(positive(locks?.lockMs, 30_000), 600_000)
    const idleMs = positive(locks?.idleMs, Infinity)
    const now = clock.now()
    const { activity = 'active' } = store.own({}).draft ?? {}
    this.#idleSince = activity === 'active' ? null : (this.#idleSince ?? now)
    const lostAt = presence.acceptedAt + lockMs
    const idleAt = this.#idleSince === null ? Infinity : this.#idleSince + idleMs
    const held = Array.from(this.#places.values()).filter(({ lock }) => lock)
    if (now >= lostAt) for (const place of held) this.#lose(place)
    else if (now >= idleAt) for (const place of held) this.#giveUp(place)
    this.#stopTimer()
    const strayAt = Math.min(...this.#strays.values()) + this.#strayMs
    const next = this.#places.size > 0 ? Math.min(lostAt, idleAt, strayAt) : strayAt
    if (next < Infinity) this.#stopTimer = clock.after(Math.max(next - now, 50), () => this.#check())
  }

  #giveUp(place: Place<T>): void {
    this.#lose(place)
    void this.#unlock(place.location, place.fence)
  }

  /** Reconnects soon after an outage while a lock is held: the server collects claims for a few seconds only. */
  #hurry(): void {
    const { transport, store, pace, presence } = this.#options
    const isWaiting = store.snapshot.status.state === 'waiting' && this.#places.size > 0
    if (!isWaiting) {
      this.#stopRetry?.()
      this.#stopRetry = null
      return
    }
    this.#stopRetry ??= transport.clock.after((0.1 + 0.1 * Math.random()) * pace.timing.beatMs, () => {
      this.#stopRetry = null
      this.#connection.connect()
      presence.hasten()
    })
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.transport.clock.after(ms, resolve))
  }
}

/** Returns a number of the wire; `usual` when it is no positive number. */
const positive = (value: unknown, usual: number) => (typeof value === 'number' && value > 0 ? value : usual)

function lockOf<T extends RoomTypes>(place: Place<T>, release: () => Promise<void>): Lock<T> {
  const lock: Lock<T> = {
    location: place.location,
    get fence() {
      return place.fence
    },
    signal: place.lost.signal,
    release,
  }
  // Safari lacked it in early 2026.
  if (Symbol.asyncDispose) Object.assign(lock, { [Symbol.asyncDispose]: release })
  return lock
}

/** Resolves with the result, unless `signal` aborts before. */
async function until<V>(signal: AbortSignal | undefined, result: V | Promise<V>): Promise<V> {
  if (!signal) return result
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    const abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort)
    stop = () => signal.removeEventListener('abort', abort)
  })
  try {
    return await Promise.race([result, aborted])
  } finally {
    stop()
  }
}
