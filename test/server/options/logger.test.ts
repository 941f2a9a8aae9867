import { Writable } from 'node:stream'
import { pinoLogger } from 'hereabouts/server'
import { serveLocations } from 'hereabouts/testing'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { nameInLogs } from '../../../src/server/options/logger.js'
import { cell, newKey, stockClient } from '../../support/clients/stock-client.js'

/** Returns a pino logger and the lines that it wrote. */
function capturedPino() {
  const lines: Record<string, unknown>[] = []
  const output = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(JSON.parse(line.toString()) as Record<string, unknown>)
      done()
    },
  })
  return { lines, logger: pinoLogger(pino({ base: null }, output)) }
}

test('pinoLogger passes details as fields and the error under the key err', () => {
  const { lines, logger } = capturedPino()
  logger.warn('authorize() threw', { error: new Error('the database is away'), room: 'x' })
  logger.info('drained')
  expect(lines).toMatchObject([
    { level: 40, msg: 'authorize() threw', room: 'x', err: { type: 'Error', message: 'the database is away' } },
    { level: 30, msg: 'drained' },
  ])
})

test('log lines contain no member id, room id, location or key', async () => {
  const { lines, logger } = capturedPino()
  await using server = await serveLocations({
    logger,
    limits: { postBurst: 1, postsPerSecond: 0.001, streams: 1e6 },
    identify: ({ ctx }) => ({ memberId: ctx.headers.get('authorization') ?? '' }),
    authorize: ({ room }) => (room === 'canary-broken' ? Promise.reject(new Error('the database is away')) : true),
  })
  const client = stockClient(server.url, { headers: { authorization: 'canary-member' } })
  const connectionKey = newKey()
  const post = { room: 'canary-room', connectionKey, location: { ...cell(1), sheet: 'canary-sheet' } }
  await client.postLocation.mutate(post)
  await client.postLocation.mutate(post).catch(() => {})
  await client.postLocation.mutate(post).catch(() => {})
  await client.getLocations.query({ room: 'canary-broken' }).catch(() => {})
  await client.getLocations.query({ room: 'canary-room', lastEventId: 'canary-id' })
  await server.hub.revoke('canary-member', 'canary-room')
  await server.hub.drain()
  expect(lines.map(({ msg }) => msg)).toEqual([
    'limits.streams is 1000000; the default is 20000.',
    // The two refused posts share one log line.
    'a caller is over a limit',
    'authorize() threw',
    'revoked',
    'draining',
    'drained',
  ])
  expect(JSON.stringify(lines)).not.toContain('canary')
  expect(JSON.stringify(lines)).not.toContain(connectionKey)
  expect(lines[1]).toMatchObject({ action: 'post', member: nameInLogs('canary-member') })
  expect(lines[3]).toMatchObject({ member: nameInLogs('canary-member'), room: nameInLogs('canary-room') })
})
