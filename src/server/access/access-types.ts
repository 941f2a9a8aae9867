export type Awaitable<T> = T | Promise<T>

/** An action that `authorize` allows or refuses in a room. */
export type RoomAction = 'read' | 'post'

/**
 * The caller's identity, as `identify` returns it. Without `profile`, the member may set their own profile in a post.
 */
export type Identity<P> = {
  /** 1 to 128 visible characters. */
  memberId: string
  profile?: P
  /**
   * The time at which this identity stops being valid. Open streams are closed then, and the client reconnects with
   * fresh headers. Default: the identity does not expire.
   */
  expiresAt?: Date
}

/** The member who makes a call: a person or an agent. */
export type CallerMember<P> = { memberId: string; profile: P | null }

/**
 * The access options: your `identify` and `authorize` callbacks, or `anonymous: true`. The one with `identify` comes last:
 * a compiler reports what is missing from the last.
 */
export type Access<Ctx, P> = AnonymousAccess<Ctx> | MemberAccess<Ctx, P>

type AnonymousAccess<Ctx> = {
  /** Callers have no identity: the holder of a connectionKey controls that connection. */
  anonymous: true
  identify?: never
  /** Returns whether anyone may do `action` in `room`. Default: everyone may do everything. */
  authorize?(options: { ctx: Ctx; member: null; room: string; action: RoomAction }): Awaitable<boolean>
}

type MemberAccess<Ctx, P> = {
  /**
   * Returns the caller's identity, taken from your context: a session or a token. Throw to refuse the call. A TRPCError is
   * passed on as it is; any other error is answered with UNAUTHORIZED.
   */
  identify(options: { ctx: Ctx }): Awaitable<Identity<P>>
  /**
   * Returns whether the member may do `action` in `room`; anything but `true` refuses. Called again every 60 seconds, and
   * whenever a stream is opened.
   */
  authorize(options: { ctx: Ctx; member: CallerMember<P>; room: string; action: RoomAction }): Awaitable<boolean>
  anonymous?: never
}
