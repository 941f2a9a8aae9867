import { memoryBackend } from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'
import { cellLocation } from 'hereabouts'
import { Agent } from 'node:http'
import { expect, test, vi } from 'vitest'
import { raw } from '../../support/network/raw.js'

const options = { location: cellLocation, anonymous: true } as const

/** Returns the idle timeout in seconds that a server announces in the Keep-Alive header of a response. */
async function announcedSeconds(keepAliveMs?: number) {
  const server = createLocationServer({ ...options, ...(keepAliveMs !== undefined && { keepAliveMs }) })
  const { url } = await server.listen(0)
  const agent = new Agent({ keepAlive: true })
  const { headers } = await raw(`${url}/livez`, { agent })
  agent.destroy()
  await server.close()
  return Number(/^timeout=(\d+)/.exec(String(headers['keep-alive']))?.[1])
}

test('by default, idle connections stay open for longer than the 60 seconds of common load balancers', async () => {
  expect(await announcedSeconds()).toBeGreaterThan(65)
})

test('keepAliveMs sets how long an idle connection stays open', async () => {
  expect(await announcedSeconds(12_000)).toBe(12)
})

test('a fractional keepAliveMs is rounded up, because Node accepts whole numbers only', async () => {
  expect(await announcedSeconds(11_999.5)).toBe(12)
})

test.each([0, -1, NaN, Infinity, 2 ** 31])('keepAliveMs of %s is `misconfigured`', (keepAliveMs) => {
  const error = expect.objectContaining({ code: 'misconfigured', message: expect.stringContaining('keepAliveMs') })
  expect(() => createLocationServer({ ...options, keepAliveMs })).toThrow(error as Error)
})

test('an invalid keepAliveMs is refused before a hub is created, since the caller could not close that hub', () => {
  const backend = memoryBackend()
  const onHealth = vi.spyOn(backend, 'onHealth')
  expect(() => createLocationServer({ ...options, backend, keepAliveMs: 0 })).toThrow('keepAliveMs')
  expect(onHealth).not.toHaveBeenCalled()
})
