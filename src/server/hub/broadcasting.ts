import type { BroadcastItem } from '../../shared/broadcast-types.js'
import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import type { BroadcastSchemas } from '../../shared/schema-types.js'
import type { RateLimits } from '../access/rate-limits.js'
import type { Limits } from '../options/limits.js'
import type { LiveRoom } from '../rooms/live-room.js'
import { newEpoch } from '../rules/ids.js'
import { toStoredValue } from '../validation/stored-value.js'

/** A broadcast as a member or the server sends it. The payload matches the app's schema. */
export type Given = {
  name: string
  payload: unknown
  connectionId: string | null
  memberId: string | null
  /** The only member who receives the broadcast. `undefined`: everybody. */
  to: string | undefined
  nonce?: string | undefined
}

/** Sends the broadcasts of one hub. */
export class Broadcasting {
  /** The app's schemas, by name; `undefined` in an app without broadcasts. */
  readonly schemas: BroadcastSchemas | undefined
  readonly #clock: Clock
  readonly #limits: Limits
  readonly #rateLimits: RateLimits
  /** The name of this hub in the ids of its broadcasts. */
  readonly #process = newEpoch()
  #sent = 0

  constructor(schemas: BroadcastSchemas | undefined, clock: Clock, limits: Limits, rateLimits: RateLimits) {
    this.schemas = schemas
    this.#clock = clock
    this.#limits = limits
    this.#rateLimits = rateLimits
  }

  /**
   * Sends a broadcast to a room. Resolves when the backend has accepted the broadcast.
   *
   * @throws LocationError `bad-input`, `too-large`, `rate-limited` when the room is over its limit, `unavailable`
   */
  async send(room: LiveRoom, { name, payload, connectionId, memberId, to, nonce }: Given): Promise<void> {
    const { broadcastBytes: maxBytes, depth: maxDepth } = this.#limits
    const { value } = toStoredValue(payload, 'payload', { maxBytes, maxDepth })
    this.#rateLimits.chargeRoom(room.id)
    const { timeline } = room
    const at = this.#clock.date().getTime() * 1_000
    const item: BroadcastItem = { name, payload: value, connectionId, memberId, at, after: timeline.version, ...(nonce !== undefined && { nonce }) } // prettier-ignore
    await room.broadcast({ id: `${this.#process}.${(this.#sent += 1)}`, item, to: to ?? null, epoch: timeline.epoch })
  }

  /** Returns the schema of a broadcast. @throws LocationError `bad-input` for a name that the hub does not have. */
  schemaOf(name: string) {
    const schema = this.schemas?.[name]
    if (schema) return schema
    throw new LocationError('bad-input', 'name: this hub has no broadcast of this name. Add it to `broadcasts`.')
  }
}
