import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import { isName } from '../../shared/name-rule.js'
import type { StoredValue } from '../rules/backend.js'
import { withDeadline } from './app-callbacks.js'
import type { Logger } from '../options/logger.js'

export type Awaitable<T> = T | Promise<T>

/** What may be asked for in a room. */
export type RoomAction = 'read' | 'post'

/** Who is calling, as `identify` says. `profile` left out: the member says it in a post. */
export type Identity<P> = {
  /** 1 to 128 visible characters. */
  memberId: string
  profile?: P
  /** When this identity is no longer good: open streams are cut then, and the client comes back with fresh headers. */
  expiresAt?: Date
}

/** A person or an agent. */
export type CallerMember<P> = { memberId: string; profile: P | null }

/** Either you say who people are, and what they may do, or you say that nobody has a name. */
export type Access<Ctx, P> =
  | {
      /**
       * Who is calling, from your context: a session, a token. Throw to refuse; what is not a TRPCError answers UNAUTHORIZED.
       */
      identify(options: { ctx: Ctx }): Awaitable<Identity<P>>
      /** Whether they may. Asked again every 60 seconds, and whenever a stream is opened. */
      authorize(options: { ctx: Ctx; member: CallerMember<P>; room: string; action: RoomAction }): Awaitable<boolean>
      anonymous?: never
    }
  | {
      /** Nobody has a name: whoever holds a connectionKey is that connection. */
      anonymous: true
      identify?: never
      authorize?(options: { ctx: Ctx; member: null; room: string; action: RoomAction }): Awaitable<boolean>
    }

/** Who is calling, checked. `memberId` is `null` where nobody has a name. */
export type Caller = { memberId: string | null; profile: StoredValue | undefined; expiresAt: number | null }

export type GateOptions = {
  clock: Clock
  logger: Logger
  /** How long a hook may take, and after how long a right is asked for again. */
  hookMs: number
  recheckMs: number
  parseProfile: (profile: unknown) => Promise<StoredValue>
}

const maxAnswers = 10_000

/** Asks the app who people are and what they may do, and bears with whatever it answers. */
export class Gate<Ctx> {
  readonly #access: Access<Ctx, unknown>
  readonly #options: GateOptions
  /** Goes up whenever rights are taken away: an answer that was asked for before says nothing any more. */
  generation = 0
  readonly #answers = new Map<string, { memberId: string; isAllowed: boolean; until: number }>()

  constructor(access: Access<Ctx, unknown>, options: GateOptions) {
    // Types say so too; but who writes JavaScript should not find out that everyone may do everything.
    const { identify, authorize, anonymous }: Partial<Record<keyof typeof access, unknown>> = access
    if (anonymous ? identify : !(identify && authorize))
      throw new LocationError(
        'misconfigured',
        'Say who people are with identify() and what they may do with authorize(), or write anonymous: true.',
      )
    this.#access = access
    this.#options = options
  }

  /** @throws LocationError `unauthorized`, `unavailable` when the app does not answer, `misconfigured` on nonsense. */
  async caller(ctx: Ctx): Promise<Caller> {
    if (!this.#access.identify) return { memberId: null, profile: undefined, expiresAt: null }
    const { identify } = this.#access
    const identity = await this.#ask('identify', () => identify({ ctx }), unauthorized)
    if (!identity) throw unauthorized()
    const { memberId, profile, expiresAt } = identity
    if (typeof memberId !== 'string' || !isName(memberId) || !isDateOrAbsent(expiresAt))
      throw new LocationError(
        'misconfigured',
        'identify() must give { memberId, profile?, expiresAt? }: memberId of 1 to 128 visible characters in normal form C, expiresAt a Date.',
      )
    if (expiresAt && expiresAt.getTime() <= this.#options.clock.now()) throw unauthorized()
    const kept = profile === undefined || profile === null ? undefined : await this.#keep(profile)
    return { memberId, profile: kept, expiresAt: expiresAt?.getTime() ?? null }
  }

  /** A name that the app has and its schema refuses is no fault of the caller: they are shown without a profile. */
  async #keep(profile: unknown): Promise<StoredValue> {
    try {
      return await this.#options.parseProfile(profile)
    } catch (error) {
      this.#options.logger.warn('identify() gave a profile that its schema refuses', { error })
      return { json: 'null', value: null }
    }
  }

  /** @param isFresh asks the app even if it has just answered. @throws LocationError `forbidden`, `unavailable`. */
  async admit(ctx: Ctx, caller: Caller, room: string, action: RoomAction, isFresh = false): Promise<void> {
    if (await this.#isAllowed(ctx, caller, room, action, isFresh)) return
    throw new LocationError('forbidden', `You may not ${action} in this room: ask its owner for access.`)
  }

  /** Forgets what the app said of a member. */
  forget(memberId: string): void {
    this.generation += 1
    for (const [question, answer] of this.#answers) if (answer.memberId === memberId) this.#answers.delete(question)
  }

  async #isAllowed(ctx: Ctx, caller: Caller, room: string, action: RoomAction, isFresh: boolean): Promise<boolean> {
    const { memberId } = caller
    const access = this.#access
    if (!access.authorize) return true
    if (access.anonymous || memberId === null) {
      const { authorize } = access as Extract<Access<Ctx, unknown>, { anonymous: true }>
      return (await this.#ask('authorize', () => authorize!({ ctx, member: null, room, action }), unavailable)) === true
    }
    const { authorize } = access
    const now = this.#options.clock.now()
    // JSON keeps the parts apart, whatever they hold.
    const question = JSON.stringify([memberId, room, action])
    const known = this.#answers.get(question)
    if (known && known.until > now && !isFresh) return known.isAllowed
    const member = { memberId, profile: caller.profile?.value ?? null }
    const { generation } = this
    const isAllowed =
      (await this.#ask('authorize', () => authorize({ ctx, member, room, action }), unavailable)) === true
    this.#answers.delete(question)
    if (generation === this.generation)
      this.#answers.set(question, { memberId, isAllowed, until: now + this.#options.recheckMs })
    if (this.#answers.size > maxAnswers) this.#answers.delete(this.#answers.keys().next().value!)
    return isAllowed
  }

  /** The app's code throws, hangs, or answers: a hook that does the first two hurts only who asked. */
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
// By name, since only the router knows tRPC: an app that throws a TRPCError means what it says.
const isTrpcError = (error: unknown) => error instanceof Error && error.name === 'TRPCError'
