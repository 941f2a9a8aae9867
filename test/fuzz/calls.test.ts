import { initTRPC, TRPCError } from '@trpc/server'
import fc from 'fast-check'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { expect, test } from 'vitest'
import { inParts, runsOf } from '../support/fuzz-runs.js'
import { hostileCall, hostileValue } from '../support/hostile.js'

/* Hostile inputs passed directly to the procedures, including values that JSON cannot carry. */

const runs = runsOf(20_000)
const unlimited = { postBurst: 1e9, readBurst: 1e9, leaveBurst: 1e9, connectionBurst: 1e9, streamBurst: 1e9 }

test(
  `each of ${runs} hostile inputs is accepted, or rejected with a message, and none changes a prototype`,
  { timeout: 0 },
  async () => {
    const hub = createLocationHub({ location: cellLocation, limits: unlimited })
    const t = initTRPC.create()
    const router = t.router(createLocationRouter({ hub, procedure: t.procedure, anonymous: true }))
    const procedures = t.createCallerFactory(router)({}) as unknown as Record<
      string,
      (input: unknown) => Promise<unknown>
    >
    const refusal = /^(bad-input|too-large|connection-owned|rate-limited|room-full): /
    const tried = fc.asyncProperty(
      fc.oneof(hostileCall, fc.record({ procedure: fc.constant('postLocation'), input: hostileValue })),
      async ({ procedure, input }) => {
        const answer = await procedures[procedure]!(input).catch((error: unknown) => error)
        if (answer instanceof TRPCError) {
          expect(answer.code).not.toBe('INTERNAL_SERVER_ERROR')
          expect(answer.message).toMatch(refusal)
          expect(answer.message.length).toBeLessThan(600)
        } else expect(answer).not.toBeInstanceOf(Error)
        if (typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer)
          await (answer as AsyncIterable<unknown>)[Symbol.asyncIterator]().return!()
      },
    )
    await inParts(runs, 1_000, (part) => fc.assert(tried, part))
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    await hub.close()
  },
)
