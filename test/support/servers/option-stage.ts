import { initTRPC, type TRPCError } from '@trpc/server'
import { createLocationHub, createLocationRouter, type Limits, type TimingOptions } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import * as z from 'zod'
import type { Hub } from '../../../src/server/hub/hub.js'
import type { StreamOptions } from '../../../src/server/rooms/stream-registry.js'
import type { Subscriber } from '../../../src/server/rooms/subscriber.js'

type Ctx = { user?: string; ip?: string }
export type Answer = { outcome?: string; code?: string; [name: string]: unknown }

/** A hub with every feature on a manual clock, and its procedures as a caller in the same process uses them. */
export function optionStage({ limits = {}, timing = {} }: { limits?: Partial<Limits>; timing?: TimingOptions }) {
  const clock = manualClock()
  const state = { isAllowed: true, asked: 0, hangs: false }
  const hub = createLocationHub({
    location: z.json(),
    profile: z.json() as never,
    presence: z.record(z.string(), z.json()),
    broadcasts: { note: z.json() },
    locks: true,
    clock,
    limits,
    timing,
  } as never) as unknown as Hub
  const t = initTRPC.context<Ctx>().create({ isDev: false })
  const procedure = t.procedure
  const clientIp = ({ ctx }: { ctx: Ctx }) => ctx.ip
  const authorize = () => {
    state.asked += 1
    return state.hangs ? new Promise<never>(() => {}) : state.isAllowed
  }
  const identify = ({ ctx }: { ctx: Ctx }) => ({ memberId: ctx.user ?? 'ada' })
  const common = { hub: hub as never, procedure, clientIp }
  const named = t.router(createLocationRouter({ ...common, identify, authorize }) as never)
  const unnamed = t.router(createLocationRouter({ ...common, anonymous: true } as never) as never)
  type Calls = Record<string, (input: object) => Promise<Answer>>
  const as = (ctx: Ctx = {}) => t.createCallerFactory(named)(ctx) as unknown as Calls
  const anonymously = (ctx: Ctx = {}) => t.createCallerFactory(unnamed)(ctx) as unknown as Calls
  /** Waits for a call while time passes. Resolves with the answer, or with the code of the error. */
  async function settled(call: Promise<Answer>, ms = 20): Promise<Answer> {
    const answer = call.catch((error: TRPCError) => ({ code: error.code, message: error.message }))
    await clock.advance(ms)
    return answer
  }
  const post = (own: object = {}, calls = as()) =>
    settled(calls['postLocation']!({ room: 'r', location: 'A1', connectionKey: key(1), ...own }))
  const lock = (own: object = {}, calls = as()) =>
    settled(calls['lockLocation']!({ room: 'r', location: 'A1', connectionKey: key(1), lockSeq: 1, ...own }))
  const subscribe = (own: Partial<StreamOptions> = {}) =>
    hub.subscribe('r', {
      connectionId: null,
      memberId: null,
      lastEventId: null,
      expiresAt: null,
      recheck: async () => true,
      ...own,
    })
  return { clock, hub, state, as, anonymously, settled, post, lock, subscribe }
}
export type OptionStage = ReturnType<typeof optionStage>

export const key = (i: number | string) => String(i).padStart(22, 'k')

export function eventsOf(subscriber: Subscriber) {
  const events = []
  for (let frame = subscriber.take(); frame; frame = subscriber.take()) events.push(frame.event)
  return events
}

/** Sends a post to a running server, and resolves with the status. */
export async function statusOfPost(url: string, location: unknown, calls = 1): Promise<number> {
  const input = { room: 'r', location }
  const body = calls === 1 ? input : Object.fromEntries(Array.from({ length: calls }, (_, i) => [i, input]))
  const path = Array(calls).fill('postLocation').join()
  const response = await fetch(`${url}/${path}${calls === 1 ? '' : '?batch=1'}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  await response.text()
  return response.status
}
