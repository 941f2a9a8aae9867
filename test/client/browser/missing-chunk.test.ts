// @vitest-environment jsdom
import { createLocationClient } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import { expect, test, vi } from 'vitest'
import { manualClock } from '../../../src/testing/manual-clock.js'
import { scriptedServer } from '../../support/servers/scripted-server.js'
import type { CellTypes } from '../../support/cell-types.js'

vi.mock(import('../../../src/client/room/wake-up.js'), () => {
  throw new Error('A deploy removed this chunk.')
})

test('an `online` event shortens the wait for the next attempt even when the wake-up code cannot be loaded', async () => {
  await using server = await scriptedServer()
  server.answers.status = 503
  server.answers.poll = () => Promise.reject(new Error('No call passes.'))
  server.answers.post = () => Promise.reject(new Error('No call passes.'))
  const clock = manualClock()
  const client = createLocationClient<LocationServer<CellTypes>['router']>({ url: server.url, clock })
  const room = client.join('r')
  room.on('error', () => {})
  const failed = () => room.status.state === 'waiting' && room.status.attempt >= 6
  while (!failed()) await clock.advance(1_000)
  const retryAt = room.status.state === 'waiting' ? room.status.retryAt.getTime() : 0
  dispatchEvent(new Event('online'))
  expect(room.status).toMatchObject({ state: 'waiting' })
  expect(room.status.state === 'waiting' && room.status.retryAt.getTime()).toBeLessThan(retryAt)
  await client.close()
})
