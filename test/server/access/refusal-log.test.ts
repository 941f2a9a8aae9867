import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter, silentLogger, type Logger } from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'
import { manualClock, serveLocations } from 'hereabouts/testing'
import { afterEach, describe, expect, test, vi } from 'vitest'

const location = { sheet: 'Q3', row: 1, col: 2 }

/** A server that refuses posts in the room `closed`, its log lines and its clock. */
async function refusingServer() {
  const clock = manualClock()
  const lines: unknown[][] = []
  const logger: Logger = { ...silentLogger, warn: (...line) => void lines.push(line) }
  const server = await serveLocations({
    clock,
    logger,
    identify: () => ({ memberId: 'ada' }),
    authorize: ({ room, action }) => room !== 'closed' || action === 'read',
  })
  const post = (input: object) =>
    fetch(`${server.url}/postLocation`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(input),
    })
  const refusals = () => lines.filter(([message]) => message === 'a call was refused').map(([, details]) => details)
  return { server, clock, post, refusals, [Symbol.asyncDispose]: () => server.close() }
}

describe('the log of refused calls', () => {
  test('the log of refused calls has one line a minute for each procedure and error code, with the number of refusals in between', async () => {
    await using served = await refusingServer()
    for (let i = 0; i < 5; i++) expect((await served.post({ room: 'closed', location })).status).toBe(403)
    expect(served.refusals()).toEqual([
      { call: 'postLocation', code: 'forbidden', reason: expect.stringContaining('room') },
    ])
    await served.clock.advance(60_000)
    await served.post({ room: 'closed', location })
    expect(served.refusals()).toHaveLength(2)
    expect(served.refusals()[1]).toMatchObject({ alsoSinceTheLastLine: 4 })
  })

  test('the log of refused calls has a separate line for each error code', async () => {
    await using served = await refusingServer()
    await served.post({ room: 'closed', location })
    await served.post({ room: 'open', location: { sheet: 'Q3', row: -1, col: 2 } })
    expect(served.refusals().map((details) => (details as { code: string }).code)).toEqual(['forbidden', 'bad-input'])
    // The message of a `bad-input` error may quote the caller, so it is not logged.
    expect(served.refusals()[1]).toEqual({ call: 'postLocation', code: 'bad-input' })
  })

  test("the log of refused calls has a line for a call that went through the app's middlewares", async () => {
    const lines: unknown[][] = []
    const logger: Logger = { ...silentLogger, warn: (...line) => void lines.push(line) }
    const t = initTRPC.create()
    const hub = createLocationHub({ location: cellLocation, logger })
    const procedure = t.procedure.use(({ next }) => next())
    const router = t.router(
      createLocationRouter({ hub, procedure, identify: () => ({ memberId: 'ada' }), authorize: () => false }),
    )
    const caller = t.createCallerFactory(router)({})
    await expect(caller.postLocation({ room: 'r', location })).rejects.toThrow('forbidden')
    expect(lines).toContainEqual([
      'a call was refused',
      expect.objectContaining({ call: 'postLocation', code: 'forbidden' }),
    ])
    await hub.close()
  })
})

describe('the console', () => {
  afterEach(() => void vi.restoreAllMocks())

  test.each([
    ['when the server has no logger option', {}, 1],
    ['but not when the logger is silentLogger', { logger: silentLogger }, 0],
  ])('a refused call is written to the console %s', async (_, options, count) => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const access = { identify: () => ({ memberId: 'ada' }), authorize: () => false }
    const server = createLocationServer({ location: cellLocation, ...access, ...options })
    const { trpcUrl } = await server.listen(0)
    await fetch(`${trpcUrl}/getLocations?input=${encodeURIComponent('{"room":"r"}')}`)
    expect(warn.mock.calls.filter(([message]) => message === 'a call was refused')).toHaveLength(count)
    await server.close()
  })
})
