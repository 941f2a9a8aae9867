import type { Action, Commit, Outcome, RoomState } from 'hereabouts/server'
import {
  actScript,
  broadcastMark,
  broadcastScript,
  probeScript,
  revokeScript,
} from '../../src/server/backends/redis/script.js'
import type { LockLocationOutput, UnlockLocationOutput } from '../../src/shared/lock-types.js'
import type { RedisPort } from '../../src/server/backends/redis/clients/client-port.js'
import { rules } from '../support/histories.js'
import { RoomMachine } from '../../src/server/rules/room.js'
import type { Chance } from './chance.js'
import type { SimClock } from './sim-clock.js'

/** The probabilities that messages between nodes and the store are lost, doubled or delayed. */
export type Weather = { lost: number; twice: number; late: number }

type Step = { actions: Action[]; now: number }
type Stored = { room: RoomMachine; steps: Step[]; epoch: string; lineage: number; startMs: number }

/** Is notified of every action that the store executes, and of the state after it. */
export interface StoreWatch {
  /** The store lost its state. Until `claimsUntil`, only claims to locks count; `-Infinity` when no lock was lost. */
  lost(claimsUntil: number): void
  acted(actions: readonly Action[], outcomes: readonly Outcome[], state: RoomState, now: number): void
}

/**
 * A simulated Redis that answers like our scripts and applies the rules of room.ts. It loses, doubles and delays
 * messages, becomes unreachable, restarts empty, and fails over to a replica that lacks the last writes.
 */
export class SimRedis {
  weather: Weather = { lost: 0, twice: 0, late: 0 }
  isDown = false
  readonly #clock: SimClock
  readonly #chance: Chance
  readonly #rooms = new Map<string, Stored>()
  readonly #listeners = new Map<string, Set<(message: string) => void>>()
  readonly #watch: StoreWatch
  #lineage = 1
  /** The time of the wall clock at which this Redis was started. The first one was started long ago. */
  #startedAt = -Infinity
  #revocations: [string, string[]][] = []

  constructor(clock: SimClock, chance: Chance, watch: StoreWatch) {
    this.#clock = clock
    this.#chance = chance
    this.#watch = watch
  }

  /** Restarts the store empty. */
  startEmpty(): void {
    this.#lineage++
    this.#startedAt = this.#clock.wallMs()
    this.#rooms.clear()
    this.#revocations = []
  }

  /** Fails over to a replica that lacks the last writes. */
  failOver(): void {
    this.#lineage++
    for (const stored of this.#rooms.values()) {
      const lost = Math.floor(this.#chance.between(1, 6))
      stored.steps = stored.steps.slice(0, Math.max(0, stored.steps.length - lost))
      stored.room = replayed(stored, -Infinity)
    }
  }

  /** Returns the state of the room. A simulation has at most one. */
  state(): RoomState | undefined {
    for (const { room, epoch } of this.#rooms.values()) return { ...room.state(), epoch }
  }

  /** Returns the connection of one process to the store. */
  port(): RedisPort & { isCut: boolean; lose(): void } {
    const mine = new Set<[string, (message: string) => void]>()
    let onGap = () => {}
    const port = {
      isCluster: false,
      isCut: false,
      send: (_key: string, command: string[]) => this.#send(command, () => port.isCut),
      subscribe: async (channel: string, listener: (message: string) => void) => {
        await this.#travel(() => port.isCut)
        const entry: [string, (message: string) => void] = [
          channel,
          (message) => {
            if (!port.isCut && mine.has(entry)) listener(message)
          },
        ]
        mine.add(entry)
        const those = this.#listeners.get(channel) ?? new Set()
        this.#listeners.set(channel, those.add(entry[1]))
        return async () => {
          mine.delete(entry)
          those.delete(entry[1])
        }
      },
      onGap: (listener: () => void) => void (onGap = listener),
      /** Reports to the backend that its subscribing connection was lost and replaced. */
      lose: () => onGap(),
      close: async () => mine.clear(),
    }
    return port
  }

  async #send(command: string[], isCut: () => boolean): Promise<unknown> {
    await this.#travel(isCut)
    if (this.isDown) throw new Error('connection lost')
    const reply = this.#reply(command)
    await this.#travel(isCut)
    return reply
  }

  /** Lets the time of a network transfer pass. Throws if the message is lost. */
  async #travel(isCut: () => boolean): Promise<void> {
    await this.#clock.pass(this.#chance.between(0.1, 3))
    if (!isCut() && !this.#chance.is(this.weather.lost / 4)) return
    // A lost connection is noticed only after a while.
    await this.#clock.pass(this.#chance.between(10, 3_000))
    throw new Error('connection lost')
  }

  #reply([name, hash, ...rest]: string[]): unknown {
    switch (name) {
      case 'EVALSHA': {
        const count = Number(rest[0])
        const keys = rest.slice(1, 1 + count)
        const args = rest.slice(1 + count)
        if (hash === actScript.sha1) return this.#act(keys[0]!, args)
        if (hash === revokeScript.sha1) return this.#revoke(keys[0]!, args)
        if (hash === broadcastScript.sha1) return this.#broadcast(keys[0]!, args[0]!)
        if (hash === probeScript.sha1) return this.#echo(keys[0]!, args[0]!)
        throw new Error('NOSCRIPT')
      }
      case 'XREVRANGE':
        return this.#revocations.slice(-1)
      case 'XRANGE':
        return this.#revocations.filter(([id]) => Number(id.split('-')[0]) > Number(rest[0]!.slice(1).split('-')[0]))
      default:
        throw new Error(`ERR ${name} is not simulated`)
    }
  }

  #act(key: string, args: string[]): unknown {
    const now = this.#clock.wallMs()
    const stored = this.#stored(key, args[0]!, now)
    const actions = decodeActions(args.slice(13))
    const { outcomes, commit } = stored.room.act(actions, now, micros(now))
    if (actions.length > 0) stored.steps.push({ actions, now })
    const text = commit ? announcement(stored.epoch, commit) : ''
    if (text !== '') this.#announce(key, text)
    const state = { ...stored.room.state(), epoch: stored.epoch }
    this.#watch.acted(actions, outcomes, state, now)
    const { version, floor, connections, left } = state
    const reply: unknown[] = [stored.epoch, String(version), dueOf(stored.room, now), text, outcomes.map(outcomeText)]
    if (args[8] === '1')
      reply.push([String(floor), connections.flatMap(lines), left.flatMap(graves), connections.flatMap(lockLines)])
    return reply
  }

  #stored(key: string, freshEpoch: string, now: number): Stored {
    const known = this.#rooms.get(key)
    if (!known) {
      const isYoung = now - this.#startedAt < simRules.lockMs
      const room = new RoomMachine(freshEpoch, micros(now), simRules, this.#claimsUntil(isYoung, now))
      const made = { room, steps: [], epoch: freshEpoch, lineage: this.#lineage, startMs: now }
      this.#rooms.set(key, made)
      return made
    }
    if (known.lineage !== this.#lineage) {
      known.lineage = this.#lineage
      known.epoch = freshEpoch
      known.room = replayed(known, this.#claimsUntil(!known.room.isEmpty, now))
    }
    return known
  }

  /** Returns the time until which claims are collected, or `-Infinity` if no state was lost. */
  #claimsUntil(hasLost: boolean, now: number): number {
    const until = hasLost ? now + simRules.claimMs : -Infinity
    this.#watch.lost(until)
    return until
  }

  #broadcast(channel: string, text: string): string {
    this.#announce(channel, broadcastMark + text)
    return 'ok'
  }

  #revoke(key: string, [member, room]: string[]): string {
    const id = `${Math.floor(this.#clock.wallMs() * 1_000)}-0`
    this.#revocations.push([id, ['member', member!, 'room', room!]])
    this.#announce(key, id)
    return id
  }

  /** Answers a health check. Its announcement is never lost: simulated subscribing connections do not go dead. */
  #echo(channel: string, number: string): string {
    for (const listener of this.#listeners.get(channel) ?? []) this.#clock.after(1, () => listener(number))
    return 'ok'
  }

  #announce(channel: string, message: string): void {
    for (const listener of this.#listeners.get(channel) ?? []) {
      if (this.#chance.is(this.weather.lost)) continue
      const times = this.#chance.is(this.weather.twice) ? 2 : 1
      for (let i = 0; i < times; i++) {
        const delayMs = this.#chance.is(this.weather.late) ? this.#chance.between(0, 400) : this.#chance.between(0.1, 3)
        this.#clock.after(delayMs, () => listener(message))
      }
    }
  }
}

export const simRules = rules

/** Returns a room after the steps that a replica received. It has no locks: the script deletes them for claims. */
function replayed({ epoch, startMs, steps }: Stored, claimsUntil: number): RoomMachine {
  const room = new RoomMachine(epoch, micros(startMs), simRules, claimsUntil)
  const isOfLocks = ({ type }: Action) => ['lock', 'unlock', 'release', 'checkLock'].includes(type)
  for (const { actions, now } of steps)
    room.act(
      actions.filter((action) => !isOfLocks(action)),
      now,
      micros(now),
    )
  return room
}

const micros = (ms: number) => Math.floor(ms * 1_000)

const dueOf = (room: RoomMachine, now: number) =>
  room.nextLeaseEnd === Infinity ? '' : String(Math.max(0, Math.ceil(Math.min(room.nextLeaseEnd, now + 1_000) - now)))

const announcement = (epoch: string, { prev, version, entered, changed, left }: Commit) =>
  `${epoch}|${prev}|${version}|${JSON.stringify({ entered, changed, left })}`

function outcomeText(outcome: Outcome): string {
  if (outcome.type === 'posted') return [outcome.outcome, outcome.seq, JSON.stringify(outcome.memberId)].join('\n')
  if (outcome.type === 'full') return `full\n${outcome.of}`
  if (outcome.type === 'lock' || outcome.type === 'unlock') return replyText(outcome.type, outcome.reply)
  if (outcome.type === 'released') return `released\n${outcome.wasHeld ? 1 : 0}`
  if (outcome.type !== 'lockChecked') return outcome.type
  return `lockChecked\n${outcome.isHeld === null ? '' : Number(outcome.isHeld)}`
}

/** Returns the script's reply to a lock or unlock action. */
function replyText(type: string, reply: LockLocationOutput | UnlockLocationOutput): string {
  const { outcome } = reply
  if (outcome === 'locked') return [type, outcome, reply.fence].join('\n')
  if (outcome !== 'taken' && outcome !== 'gone') return [type, outcome].join('\n')
  const { connectionId = '', memberId = '' } = reply.holder ?? {}
  const wait = 'retryAfterMs' in reply ? reply.retryAfterMs : ''
  return [type, outcome, connectionId, memberId && JSON.stringify(memberId), wait].join('\n')
}

const lockLines = ({ connectionId, locks = [] }: RoomState['connections'][number]) =>
  locks.flatMap(({ location, fence }) => [`L${JSON.stringify(location)}`, `${fence}\n${connectionId}`])

const lines = ({
  connectionId,
  at,
  activeAt = at,
  activity,
  memberId,
  profile,
  location,
  presence = {},
}: RoomState['connections'][number]) => [
  connectionId,
  [
    at,
    activeAt,
    0,
    0,
    0,
    activity,
    ...[memberId, profile, location, presence].map((each) => JSON.stringify(each)),
  ].join('\n'),
]
const graves = ({ connectionId, at, reason }: RoomState['left'][number]) => [
  connectionId,
  [at, 0, reason, 1, ''].join('\n'),
]

const optional = (text: string) => (text === '' ? undefined : Number(text))
const kept = (json: string) => ({ json, value: JSON.parse(json) as unknown })

/** Decodes the actions of a call, as the script does. */
function decodeActions(fields: string[]): Action[] {
  const actions: Action[] = []
  const take = (count: number) =>
    fields.splice(0, count) as [string, string, string, string, string, string, string, string, string, string, string]
  while (fields.length > 0) {
    const [kind] = fields.splice(0, 1)
    if (kind === 'p') {
      const [connectionId, member, owned, seq, location, profile, activity, leaseMs, used, agoMicros, presence] =
        take(11)
      actions.push({
        type: 'post',
        connectionId,
        memberId: JSON.parse(member) as string,
        owned: owned === '1',
        seq: optional(seq),
        location: kept(location),
        profile: profile === '' ? undefined : kept(profile),
        activity: activity === '' ? undefined : (activity as 'active'),
        leaseMs: Number(leaseMs),
        ...(used === '1' && { used: true }),
        activeAgoMs: Number(agoMicros) / 1_000,
        ...(presence !== '' && { presence: kept(presence) }),
      })
    } else if (kind === 'l') {
      const [connectionId, member, seq, graceMs] = take(4)
      const memberId = member === '' ? null : (JSON.parse(member) as string)
      actions.push({ type: 'leave', connectionId, memberId, seq: optional(seq), graceMs: Number(graceMs) })
    } else if (kind === 's') {
      const [connectionId, leaseMs] = take(2)
      actions.push({ type: 'shorten', connectionId, leaseMs: Number(leaseMs) })
    } else if (kind === 'k' || kind === 'u') {
      const [connectionId, member, location, lockSeq, fence] = take(5)
      const memberId = member === '' ? null : (JSON.parse(member) as string)
      const which = { connectionId, memberId, location: kept(location), lockSeq: Number(lockSeq) }
      if (kind === 'u') actions.push({ type: 'unlock', ...which, fence: Number(fence) })
      else
        actions.push({ type: 'lock', ...which, claim: optional(fence), ...(take(1)[0] === '1' && { takeOver: true }) })
    } else if (kind === 'f') actions.push({ type: 'release', location: kept(take(1)[0]) })
    else if (kind === 'c') {
      const [location, member, fence] = take(3)
      actions.push({
        type: 'checkLock',
        location: kept(location),
        memberId: JSON.parse(member) as string,
        fence: Number(fence),
      })
    } else if (kind === 'r') actions.push({ type: 'revoke', memberId: JSON.parse(take(1)[0]) as string })
    else actions.push({ type: 'sweep' })
  }
  return actions
}
