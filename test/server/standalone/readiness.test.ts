import { memoryBackend, type Backend } from 'hereabouts/server'
import { manualClock, serveLocations } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { raw } from '../../support/network/raw.js'

const asked = async (url: string, path: string) => {
  const { status, body } = await raw(new URL(path, url).href)
  return [status, body]
}

test('/readyz answers 200 when the server is ready', async () => {
  await using server = await serveLocations()
  expect(await asked(server.url, '/readyz')).toEqual([200, 'ok\n'])
  expect(server.hub.health()).toBe('ready')
})

test('/readyz answers 503 while the backend is unreachable', async () => {
  let tell: (health: 'up' | 'down') => void = () => {}
  const backend: Backend = { ...memoryBackend(), onHealth: (listener) => ((tell = listener), () => {}) }
  await using server = await serveLocations({ backend })
  tell('down')
  expect(await asked(server.url, '/readyz')).toEqual([503, 'degraded\n'])
  expect(await asked(server.url, '/livez')).toEqual([200, 'ok\n'])
  tell('up')
  expect(await asked(server.url, '/readyz')).toEqual([200, 'ok\n'])
})

test('/readyz answers 503 for ten seconds after the event loop stalled for more than a second', async () => {
  const clock = manualClock()
  await using server = await serveLocations({ clock })
  await clock.advance(1_000)
  clock.stall(1_600)
  expect(await asked(server.url, '/readyz')).toEqual([503, 'late\n'])
  expect(await asked(server.url, '/livez')).toEqual([200, 'ok\n'])
  await clock.advance(10_000)
  expect(await asked(server.url, '/readyz')).toEqual([200, 'ok\n'])
  // A stall that makes timers half a second late leaves the server ready.
  clock.stall(1_000)
  expect(await asked(server.url, '/readyz')).toEqual([200, 'ok\n'])
})

test('/readyz answers 503 while the server drains; posts are accepted and streams are refused', async () => {
  await using server = await serveLocations({ timing: { drainMs: 100 } })
  await server.hub.drain()
  expect(await asked(server.url, '/readyz')).toEqual([503, 'draining\n'])
  const query = `onLocation?input=${encodeURIComponent('{"room":"r"}')}`
  expect((await raw(`${server.url}/${query}`)).body).toContain('unavailable: ')
  const headers = { 'content-type': 'application/json' }
  const body = '{"room":"r","location":null}'
  expect((await raw(`${server.url}/postLocation`, { method: 'POST', headers, body })).status).toBe(200)
})
