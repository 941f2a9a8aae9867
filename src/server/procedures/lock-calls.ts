import type {
  LockLocationInput,
  LockLocationOutput,
  UnlockLocationInput,
  UnlockLocationOutput,
} from '../../shared/lock-types.js'
import type { Caller, Gate } from '../access/gate.js'
import { ownedError } from '../access/outcome-errors.js'
import type { Hub } from '../hub/hub.js'
import type { Outcome } from '../rules/backend.js'
import { anonymousMemberIdOf, connectionIdOf } from '../rules/ids.js'

type LockOutcome<K extends Outcome['type']> = Extract<Outcome, { type: K }>

/** The work of `lockLocation` and `unlockLocation`. They are charged and authorized like posts. */
export class LockCalls {
  readonly #hub: Hub
  readonly #gate: Gate<unknown>

  constructor(hub: Hub, gate: Gate<unknown>) {
    this.#hub = hub
    this.#gate = gate
  }

  async lock(ctx: unknown, input: LockLocationInput): Promise<LockLocationOutput> {
    const { claim, takeOver } = input
    const own = { ...(await this.#admitted(ctx, input)), claim, takeOver }
    return replyOf<'lock'>(await this.#hub.act(input.room, { type: 'lock', ...own })).reply
  }

  async unlock(ctx: unknown, input: UnlockLocationInput): Promise<UnlockLocationOutput> {
    const { fence } = input
    const own = { ...(await this.#admitted(ctx, input)), fence }
    return replyOf<'unlock'>(await this.#hub.act(input.room, { type: 'unlock', ...own })).reply
  }

  async #admitted(ctx: unknown, { room, connectionKey, location, lockSeq }: LockLocationInput | UnlockLocationInput) {
    const caller: Caller = await this.#gate.caller(ctx)
    const { memberId } = caller
    const place = this.#hub.keepPlace(location)
    // The caller's address was already charged before the input was read: only the member is charged here.
    this.#hub.rateLimits.charge('post', { memberId: memberId ?? anonymousMemberIdOf(connectionKey), address: null })
    await this.#gate.admit(ctx, caller, room, 'post')
    return { connectionId: connectionIdOf(connectionKey), memberId, location: place, lockSeq }
  }
}

function replyOf<K extends 'lock' | 'unlock'>(outcome: Outcome): LockOutcome<K> {
  if (outcome.type === 'owned') throw ownedError()
  return outcome as LockOutcome<K>
}
