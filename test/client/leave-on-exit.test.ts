import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createLocationClient } from 'hereabouts/client'
import { serveLocations } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { built } from '../support/built.js'
import { until } from '../support/until.js'

// The child process runs the built package.
built('package')

const script = new URL('../support/clients/leaving-client.mjs', import.meta.url).pathname

test.each([
  ['SIGINT', [], { code: null, signal: 'SIGINT' }],
  ['SIGTERM', [], { code: null, signal: 'SIGTERM' }],
  ['SIGTERM', ['own handler'], { code: 7, signal: null }],
] as const)('a process that %s ends leaves its room first (%j)', { timeout: 30_000 }, async (signal, args, ends) => {
  await using server = await serveLocations()
  const viewer = createLocationClient<typeof server.server.router>({ url: server.url })
  const room = viewer.watch('r')
  const left: string[] = []
  room.on('left', ({ reason }) => left.push(reason))
  const child = spawn(process.execPath, [script, server.url, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await once(child.stdout, 'data')
    await until('the other is seen', () => room.others.length === 1)
    const exit = once(child, 'exit')
    child.kill(signal)
    const [code, by] = (await exit) as [number | null, string | null]
    expect({ code, signal: by }).toEqual(ends)
    await until('the leave is seen', () => left.length > 0, 10_000)
    expect(left).toEqual(['left'])
  } finally {
    child.kill('SIGKILL')
    await viewer.close()
  }
})

test('a closed client with `leaveOnExit` has no listeners on the process', async () => {
  const listeners = () => process.listenerCount('SIGINT') + process.listenerCount('beforeExit')
  const before = listeners()
  const client = createLocationClient({ url: 'http://127.0.0.1:9/trpc', leaveOnExit: true } as never)
  await until('it listens', () => listeners() === before + 2)
  await client.close()
  expect(listeners()).toBe(before)
})
