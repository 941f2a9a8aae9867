import { PassThrough } from 'node:stream'
import { LocationError, systemClock } from 'hereabouts'
import type { RoomStatus } from 'hereabouts/client'
import { manualClock, serveLocations } from 'hereabouts/testing'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { post } from '../../src/cli/commands/post.js'
import { watch } from '../../src/cli/commands/watch.js'
import { Output } from '../../src/cli/output.js'
import { departure } from '../../src/cli/session.js'
import { followStatus } from '../../src/cli/status.js'
import type { AnyWatch } from '../../src/cli/target.js'
import { until } from '../support/until.js'

/* Commands that stay in a room, at a terminal: they end when the room closes, and say what is refused. */

const target = { url: 'http://127.0.0.1:9/trpc', header: {}, timeout: 10 }
const cell = { sheet: 'Q3', row: 4, col: 2 }

function terminal(json?: boolean) {
  let said = ''
  const write = (text: string) => void (said += text)
  const stdout = { isTTY: true, columns: 200, write } as unknown as NodeJS.WriteStream
  const output = new Output({ clock: systemClock, stdout, stderr: stdout, env: { NO_COLOR: '1' }, json })
  return { output, said: () => said }
}

// The commands listen to signals until their process ends.
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
let known: Map<string, unknown[]>
beforeEach(() => void (known = new Map(signals.map((signal) => [signal, process.listeners(signal)]))))
afterEach(() => {
  for (const signal of signals)
    for (const listener of process.listeners(signal))
      if (!known.get(signal)!.includes(listener)) process.off(signal, listener)
})

/** A room with a status, and no server. */
function statusRoom(status: RoomStatus) {
  const listeners = new Map<string, (event: object) => void>()
  const room = {
    id: 'r',
    status,
    on(event: string, listener: (event: object) => void) {
      listeners.set(event, listener)
      return () => listeners.delete(event)
    },
  }
  return {
    room: room as unknown as AnyWatch,
    listeners,
    becomes(current: RoomStatus) {
      room.status = current
      listeners.get('status')?.({ current })
    },
  }
}
const revoked: RoomStatus = {
  state: 'closed',
  reason: 'forbidden',
  error: new LocationError('forbidden', 'Your access to this room was revoked.'),
}

describe('the departure of a command', () => {
  test('the departure of a command fails when the room had closed before', async () => {
    const { room, listeners } = statusRoom(revoked)
    const leaving = departure({ room, target, signal: new AbortController().signal })
    await expect(leaving).rejects.toMatchObject({ exitCode: 1, message: 'Your access to this room was revoked.' })
    expect(listeners.size).toBe(0)
  })

  test('the departure of a command fails when the room closes, and not while it reconnects', async () => {
    const { room, becomes } = statusRoom({ state: 'live' })
    const leaving = departure({ room, target, signal: new AbortController().signal })
    becomes({ state: 'waiting', retryAt: new Date(), attempt: 1, error: new LocationError('network', 'gone') })
    becomes({ state: 'live' })
    becomes(revoked)
    await expect(leaving).rejects.toMatchObject({ exitCode: 1 })
  })

  test('the departure of a command ends when it is interrupted', async () => {
    const { room, listeners } = statusRoom({ state: 'live' })
    const controller = new AbortController()
    const leaving = departure({ room, target, signal: controller.signal })
    controller.abort()
    await leaving
    expect(listeners.size).toBe(0)
  })
})

test('a refusal is printed at a terminal once the command has begun, unless it closes the room and so ends the command', () => {
  const { output, said } = terminal()
  const { room, listeners, becomes } = statusRoom({ state: 'live' })
  const { begun } = followStatus(room, { target, output, clock: manualClock() })
  const refuse = (message: string) => listeners.get('error')!({ error: new LocationError('bad-input', message) })
  refuse('The first location is refused.')
  begun()
  refuse('That cell is not there.')
  becomes(revoked)
  refuse('Your access to this room was revoked.')
  expect(said()).toMatch(/^\d\d:\d\d:\d\d {2}That cell is not there\.\n$/)
})

describe('a command whose access is revoked', () => {
  test('post --stay ends while it waits for more locations, and prints what was refused before', async () => {
    await using server = await serveLocations()
    const { output, said } = terminal()
    const from = new PassThrough()
    const command = { ...target, url: server.url, room: 'r', location: { from }, profile: undefined, stay: true }
    const ended = post(command, output, systemClock).catch((error: unknown) => error)
    from.write(`${JSON.stringify(cell)}\n`)
    await until('it is in the room', () => said().includes('Ctrl-C leaves'))
    from.write('{"sheet":7}\n')
    await until('the refusal is printed', () => /\d\d:\d\d:\d\d {2}[^\n]*sheet/.test(said()))
    const [member] = await server.hub.room('r').members()
    await server.hub.revoke(member!.memberId)
    expect(await ended).toMatchObject({ exitCode: 1, message: 'Your access to this room was revoked.' })
    expect(said()).not.toContain('left r')
  })

  test('watch ends when it is revoked before it has printed the room', async () => {
    await using server = await serveLocations({
      identify: () => ({ memberId: 'ada' }),
      authorize: () => true,
    })
    const { output, said } = terminal(true)
    const { fetch } = globalThis
    onTestFinished(() => void vi.unstubAllGlobals())
    // It asks for the locks of the room before it prints it.
    vi.stubGlobal('fetch', async (input: string, init?: RequestInit) => {
      const response = await fetch(input, init)
      if (!input.includes('getLocations')) return response
      await server.hub.revoke('ada')
      await until('the room is closed', () => said().includes('"closed"'))
      return response
    })
    const ended = watch({ ...target, url: server.url, room: 'r' }, output, systemClock)
    await expect(ended).rejects.toMatchObject({ exitCode: 1, message: 'Your access to this room was revoked.' })
  })
})
