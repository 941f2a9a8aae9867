/**
 * The member and the address that a call is counted against. `memberId` is `null` for an anonymous caller, `address` is
 * `null` when addresses are not counted.
 */
export type LimitedCaller = { readonly memberId: string | null; readonly address: string | null }
