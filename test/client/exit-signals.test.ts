import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { leaveOnExit } from '../../src/client/leave-on-exit.js'
import { countedClock } from '../support/counted-clock.js'
import { deferred, settled } from '../support/servers/memory-server.js'

/* `leaveOnExit` with a process and a clock of the test. With real processes: leave-on-exit.test.ts. */

describe('`leaveOnExit`', () => {
  let host: EventEmitter
  let killed: string[]
  const events = ['SIGINT', 'SIGTERM', 'beforeExit']
  beforeEach(() => {
    host = new EventEmitter()
    killed = []
    // The test runner uses the rest of the process, and other events of it.
    for (const method of ['on', 'off', 'listenerCount'] as const) {
      const original = process[method].bind(process) as (event: string, ...rest: unknown[]) => unknown
      vi.spyOn(process, method).mockImplementation(((event: string, ...rest: [never]) =>
        events.includes(event) ? host[method](event, ...rest) : original(event, ...rest)) as never)
    }
    vi.spyOn(process, 'kill').mockImplementation((pid, signal) => {
      killed.push(`${pid === process.pid ? 'this process' : pid} ${signal}`)
      return true
    })
  })
  afterEach(() => vi.restoreAllMocks())

  const listeners = () => events.map((event) => host.listenerCount(event))
  const started = () => {
    const clock = countedClock()
    const closing = deferred<void>()
    let closes = 0
    const stop = leaveOnExit(
      {
        close() {
          closes += 1
          return closing.promise
        },
      },
      clock,
    )
    return { clock, closing, stop, closes: () => closes }
  }

  test.each(['SIGINT', 'SIGTERM'])(
    '%s closes the client, and ends the process once the server was told',
    async (signal) => {
      const { closing, closes } = started()
      host.emit(signal, signal)
      await settled()
      expect([closes(), killed]).toEqual([1, []])
      closing.resolve()
      await settled()
      expect([killed, listeners()]).toEqual([[`this process ${signal}`], [0, 0, 0]])
    },
  )

  test('a server that does not answer delays the end of the process by two seconds', async () => {
    const { clock } = started()
    host.emit('SIGTERM', 'SIGTERM')
    await clock.advance(1_999)
    expect(killed).toEqual([])
    await clock.advance(1)
    expect(killed).toEqual(['this process SIGTERM'])
  })

  test('a close that fails ends the process, too', async () => {
    const { closing } = started()
    host.emit('SIGINT', 'SIGINT')
    closing.reject(new Error('for the test'))
    await settled()
    expect(killed).toEqual(['this process SIGINT'])
  })

  test('the signal is not sent again when the app has a listener of its own for it', async () => {
    const { closing } = started()
    host.on('SIGTERM', () => {})
    host.emit('SIGTERM', 'SIGTERM')
    closing.resolve()
    await settled()
    expect([killed, listeners()]).toEqual([[], [0, 1, 0]])
  })

  test('a process that has no more work closes the client and is not killed', async () => {
    const { closing, closes } = started()
    host.emit('beforeExit')
    closing.resolve()
    await settled()
    expect([closes(), killed]).toEqual([1, []])
  })

  test('stopping removes every listener', () => {
    const { stop } = started()
    expect(listeners()).toEqual([1, 1, 1])
    stop()
    expect(listeners()).toEqual([0, 0, 0])
  })
})
