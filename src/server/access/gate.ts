import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import { frozen } from '../../shared/frozen.js'
import { nameFault, normalName } from '../../shared/name-rule.js'
import type { Logger } from '../options/logger.js'
import type { StoredValue } from '../rules/backend.js'
import type { Access, Awaitable, Identity, RoomAction } from './access-types.js'
import { withDeadline } from './app-callbacks.js'

/** A caller whose identity was checked. `memberId` is `null` when callers are anonymous. */
export type Caller = {
  memberId: string | null
  scope: string | null
  profile: StoredValue | undefined
  expiresAt: Date | null
}

export type GateOptions = {
  clock: Clock
  logger: Logger
  /** The time limit for one call of `identify` or `authorize`, in milliseconds. */
  hookMs: number
  /** The time for which an answer of `authorize` is cached, in milliseconds. */
  recheckMs: number
  parseProfile: (profile: unknown) => Promise<StoredValue>
}

const maxAnswers = 10_000

/** Identifies and authorizes callers with the app's callbacks, and caches the answers of `authorize`. */
export class Gate<Ctx> {
  readonly #access: Access<Ctx, unknown>
  readonly #options: GateOptions
  #hasReportedIdentity = false
  /**
   * Incremented by every revocation: an answer of `authorize` that was requested before the increment is no longer
   * valid.
   */
  generation = 0
  /** The cached answers of `authorize`, by member, scope, room and action. */
  readonly #answers = new Map<string, { memberId: string; isAllowed: boolean; until: number }>()

  /**
   * @throws LocationError `misconfigured` unless `identify` and `authorize` are given, or `anonymous: true` without
   * `identify`.
   */
  constructor(access: Access<Ctx, unknown>, options: GateOptions) {
    // The types enforce this too, but without this check a mistake in plain JavaScript would allow everyone everything.
    const { identify, authorize, anonymous }: Partial<Record<keyof typeof access, unknown>> = access
    if (anonymous ? identify : !(identify && authorize))
      throw new LocationError(
        'misconfigured',
        'Pass identify() and authorize() to identify callers and check their rights, or pass anonymous: true.',
      )
    this.#access = access
    this.#options = options
  }

  /**
   * Identifies the caller.
   *
   * @throws LocationError `unauthorized`, `unavailable` when the app does not answer in time, `misconfigured` when
   * `identify` returns an invalid identity.
   */
  async caller(ctx: Ctx): Promise<Caller> {
    if (!this.#access.identify) return { memberId: null, scope: null, profile: undefined, expiresAt: null }
    const { identify } = this.#access
    const answer = await this.#ask('identify', () => identify({ ctx }), unauthorized)
    if (!answer) throw unauthorized()
    const identity = this.#readIdentity(answer)
    const { profile, expiresAt, scope } = identity
    const memberId = normalName(identity.memberId)
    if (expiresAt && expiresAt <= this.#options.clock.date()) throw unauthorized()
    const stored = profile === undefined || profile === null ? undefined : await this.#parseProfile(profile)
    return { memberId, scope, profile: stored, expiresAt: expiresAt ?? null }
  }

  /** Reads each field once: a getter may throw, or return something else the next time. */
  #readIdentity(answer: Identity<unknown>) {
    let fields
    try {
      const { memberId, profile, expiresAt, scope = null } = answer
      fields = { memberId, profile, expiresAt, scope }
    } catch (cause) {
      throw this.#invalidIdentity('reading it threw', cause)
    }
    const fault = identityFault(fields)
    if (fault !== null) throw this.#invalidIdentity(fault)
    return fields
  }

  /** Returns the error of an invalid identity, and logs it once: each call of such a member fails in the same way. */
  #invalidIdentity(fault: string, cause?: unknown): LocationError {
    const error = new LocationError('misconfigured', `identify() returned an invalid identity: ${fault}.`, { cause })
    if (!this.#hasReportedIdentity) this.#options.logger.error('identify() returned an invalid identity', { error })
    this.#hasReportedIdentity = true
    return error
  }

  /**
   * A profile from `identify` that fails the app's own schema is not the caller's fault: the member is shown without a
   * profile.
   */
  async #parseProfile(profile: unknown): Promise<StoredValue> {
    try {
      return await this.#options.parseProfile(profile)
    } catch (error) {
      this.#options.logger.warn('identify() returned a profile that does not match the profile schema', { error })
      return { json: 'null', value: null }
    }
  }

  /**
   * Checks that the caller may do `action` in `room`.
   *
   * @param isFresh calls `authorize` even when a cached answer exists.
   * @throws LocationError `forbidden`, `unavailable`
   */
  async admit(ctx: Ctx, caller: Caller, room: string, action: RoomAction, isFresh = false): Promise<void> {
    if (await this.#isAllowed(ctx, caller, room, action, isFresh)) return
    throw new LocationError('forbidden', `You may not ${action} in this room: ask its owner for access.`)
  }

  /** The number of cached answers. */
  get size(): number {
    return this.#answers.size
  }

  /** Drops the cached answers about a member. */
  forget(memberId: string): void {
    this.generation += 1
    for (const [question, answer] of this.#answers) if (answer.memberId === memberId) this.#answers.delete(question)
  }

  async #isAllowed(ctx: Ctx, caller: Caller, room: string, action: RoomAction, isFresh: boolean): Promise<boolean> {
    const { memberId, scope } = caller
    const access = this.#access
    if (!access.authorize) return true
    if (access.anonymous || memberId === null) {
      const { authorize } = access as Extract<Access<Ctx, unknown>, { anonymous: true }>
      return (await this.#ask('authorize', () => authorize!({ ctx, member: null, room, action }), unavailable)) === true
    }
    const { authorize } = access
    const now = this.#options.clock.now()
    // JSON keeps the parts apart, whatever characters they contain.
    const question = JSON.stringify([memberId, scope, room, action])
    const known = this.#answers.get(question)
    if (known && known.until > now && !isFresh) return known.isAllowed
    const member = frozen({ memberId, profile: caller.profile?.value ?? null })
    const { generation } = this
    const isAllowed =
      (await this.#ask('authorize', () => authorize({ ctx, member, scope, room, action }), unavailable)) === true
    this.#answers.delete(question)
    const { recheckMs } = this.#options
    if (generation === this.generation && recheckMs > 0)
      this.#answers.set(question, { memberId, isAllowed, until: now + recheckMs })
    if (this.#answers.size > maxAnswers) this.#answers.delete(this.#answers.keys().next().value!)
    return isAllowed
  }

  /**
   * Runs one of the app's callbacks. An exception or a timeout fails only the call that it was run for.
   *
   * @param refuse makes the error that the caller gets when the callback throws. A LocationError or a TRPCError is
   * passed on as it is.
   */
  async #ask<T>(hook: string, run: () => Awaitable<T>, refuse: (cause: unknown) => LocationError): Promise<T> {
    try {
      const answer = run()
      return isThenable(answer) ? await withDeadline(`${hook}()`, answer, this.#options) : answer
    } catch (cause) {
      if (cause instanceof LocationError || isTrpcError(cause)) throw cause
      this.#options.logger.warn(`${hook}() threw`, { error: cause })
      throw refuse(cause)
    }
  }
}

const unauthorized = (cause?: unknown) => new LocationError('unauthorized', 'Sign in, then try again.', { cause })
const unavailable = (cause?: unknown) =>
  new LocationError('unavailable', 'Access could not be checked: try again.', { cause })

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
const isDateOrAbsent = (value: unknown) =>
  value === undefined || (value instanceof Date && !Number.isNaN(value.getTime()))
/** Returns what is wrong with an identity that `identify` returned; `null` when it is valid. */
function identityFault({ memberId, expiresAt, scope = null }: Record<string, unknown>): string | null {
  if (typeof memberId !== 'string') return 'memberId must be a string'
  const fault = nameFault(normalName(memberId))
  if (fault !== null) return `memberId ${fault}`
  if (!isScope(scope)) return 'scope must be a string of at most 256 characters'
  return isDateOrAbsent(expiresAt) ? null : 'expiresAt must be a valid Date'
}

const isScope = (value: unknown) => value === null || (typeof value === 'string' && value.length <= 256)
/** Recognizes a TRPCError by its name, since this folder does not depend on tRPC. */
const isTrpcError = (error: unknown) => error instanceof Error && error.name === 'TRPCError'
