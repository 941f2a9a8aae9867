/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>

/** An action that `authorize` allows or refuses in a room. */
export type RoomAction = 'read' | 'post'

/**
 * The caller's identity, as `identify` returns it. Without `profile`, the member may set their own profile in a post.
 */
export type Identity<P> = {
  /** The id of the member: 1 to 128 visible characters. The id is converted to Unicode normal form C. */
  memberId: string
  profile?: P
  /**
   * The part of the request, besides the member, that `authorize` may decide by: the id of a token, a role. Members with different scopes are
   * authorized separately. At most 256 characters. Default: every request of a member has the same rights.
   */
  scope?: string
  /**
   * The time at which this identity stops being valid. Open streams are closed at that time, and the client reconnects
   * with fresh headers. Default: the identity does not expire.
   */
  expiresAt?: Date
}

/** The member who makes a call: a person or an agent. */
export type CallerMember<P> = { memberId: string; profile: P | null }

/**
 * The access options: your `identify` and `authorize` callbacks, or `anonymous: true`. The type with `identify` comes
 * last in the union, because the compiler reports what is missing from the last type.
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
   * Returns whether the member may do `action` in `room`; anything but `true` refuses.
   *
   * The answer is reused for posts and queries for `timing.recheckMs` (60 seconds), because a member who moves posts
   * twenty times a second and your database should not be asked as often. It is reused for every request of the same
   * member and `scope` in the same room. So the answer must not depend on anything else in `ctx`: return such data as
   * the `scope` of `identify`. With `timing.recheckMs: 0`, `authorize` is called for every post and query. For a
   * stream, `authorize` is called when the stream is opened, and again after `recheckMs`, at a heartbeat.
   */
  authorize(options: {
    ctx: Ctx
    member: CallerMember<P>
    /** The scope that `identify` returned; `null` when it returned none. */
    scope: string | null
    room: string
    action: RoomAction
  }): Awaitable<boolean>
  anonymous?: never
}
