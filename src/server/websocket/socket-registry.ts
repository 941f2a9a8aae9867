import { systemClock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import { networkKey, networkTimes } from '../options/caller.js'
import { TimerWheel } from '../rooms/timer-wheel.js'
import type { SocketEnvironment } from './socket-environment.js'
import { drainMs, type SocketSession } from './socket-session.js'

/** The number of steps into which a heartbeat interval is divided. Each step checks a part of the sockets. */
const steps = 20
/** The time that the sockets of a closed handler have for the closing handshake, in milliseconds. */
const lingerMs = 100

/** The open sockets of one handler. Counts them by address, and checks each once in a heartbeat interval. */
export class SocketRegistry {
  readonly #environment: SocketEnvironment
  readonly #wheel = new TimerWheel<SocketSession>(steps)
  readonly #addressesOf = new Map<SocketSession, readonly string[]>()
  readonly #counts = new Map<string, number>()
  #stopTimer: (() => void) | null = null
  #onEmpty = () => {}

  constructor(environment: SocketEnvironment) {
    this.#environment = environment
  }

  get size(): number {
    return this.#wheel.size
  }

  add(session: SocketSession): void {
    this.#wheel.add(session)
    if (!this.#stopTimer) this.#startTimer()
  }

  delete(session: SocketSession): void {
    this.#wheel.delete(session)
    for (const key of this.#addressesOf.get(session) ?? []) {
      const others = this.#counts.get(key)! - 1
      if (others === 0) this.#counts.delete(key)
      else this.#counts.set(key, others)
    }
    this.#addressesOf.delete(session)
    if (this.#wheel.size > 0) return
    this.#stopTimer?.()
    this.#stopTimer = null
    this.#onEmpty()
  }

  /** Counts a socket under its address. @throws LocationError `rate-limited` when the address has too many. */
  admit(session: SocketSession, ctx: unknown): void {
    const address = this.#environment.access()?.addressOf(ctx) ?? null
    if (address === null) return
    const most = this.#environment.limits.addressStreams
    const network = networkKey(address)
    const isFull = (key: string, limit: number) => (this.#counts.get(key) ?? 0) >= limit
    if (isFull(address, most) || (network !== null && isFull(network, most * networkTimes)))
      throw new LocationError('rate-limited', `Your address has ${most} open sockets, which is the limit: close one.`)
    const keys = network === null ? [address] : [address, network]
    this.#addressesOf.set(session, keys)
    for (const key of keys) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /**
   * Closes every socket. A socket with calls in progress is closed after their answers, and a socket whose client does
   * not answer the closing handshake is destroyed.
   */
  async close(): Promise<void> {
    for (const session of this.#wheel) session.closeDraining()
    await this.#emptyWithin(lingerMs)
    for (const session of this.#wheel) if (!session.hasCalls) session.destroy()
    await this.#emptyWithin(drainMs)
    for (const session of this.#wheel) session.destroy()
  }

  /** Resolves when no socket is open, and after `ms` at the latest. */
  async #emptyWithin(ms: number): Promise<void> {
    if (this.size === 0) return
    await new Promise<void>((resolve) => {
      const cancel = systemClock.after(ms, resolve)
      this.#onEmpty = () => {
        cancel()
        resolve()
      }
    })
  }

  #startTimer(): void {
    const { clock, timing } = this.#environment
    this.#stopTimer = clock.after(timing.beatMs / steps, () => {
      this.#startTimer()
      for (const session of this.#wheel.turn()) this.#lookAfter(session)
    })
  }

  #lookAfter(session: SocketSession): void {
    const { clock, timing, isDraining } = this.#environment
    const now = clock.now()
    const { beatMs, recheckMs } = timing
    const silentMs = now - session.receivedAt
    if (isDraining() && !session.hasStreams) session.closeDraining()
    else if (session.isIdle && now - session.activeAt >= 3 * beatMs) session.closeIdle()
    // Two pings were not answered: the client has disconnected without closing the connection.
    else if (silentMs >= 4 * beatMs) session.terminate()
    else {
      if (silentMs >= 2 * beatMs) session.ping()
      if (now - session.checkedAt >= recheckMs) session.recheck().catch((cause: unknown) => session.fail(cause))
    }
  }
}
