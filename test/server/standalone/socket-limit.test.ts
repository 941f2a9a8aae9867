import { EventEmitter } from 'node:events'
import type { Server } from 'node:http'
import { manualClock } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { silentLogger } from '../../../src/server/options/logger.js'
import { limitSockets, openFilesLimit, socketsWithin } from '../../../src/server/standalone/socket-limit.js'

function stage() {
  const clock = manualClock()
  const lines: unknown[][] = []
  const server = Object.assign(new EventEmitter(), { maxConnections: 0, listening: true })
  const logger = { ...silentLogger, warn: (...line: unknown[]) => void lines.push(line) }
  limitSockets(server as unknown as Server, 5, { clock, logger })
  return { clock, lines, server }
}

test('a server has at most so many sockets, and a flood of others is logged once in ten seconds', async () => {
  const { clock, lines, server } = stage()
  expect(server.maxConnections).toBe(5)
  for (let i = 0; i < 3; i++) server.emit('drop')
  await clock.advance(9_999)
  server.emit('drop')
  expect(lines).toEqual([['sockets are turned away', { most: 5 }]])
  await clock.advance(1)
  server.emit('drop')
  expect(lines).toHaveLength(2)
})

test('an error of a listening server is logged and does not end the process; one of listen() is left to its caller', () => {
  const { lines, server } = stage()
  const error = new Error('EMFILE')
  server.listening = false
  server.emit('error', error)
  expect(lines).toEqual([])
  server.listening = true
  server.emit('error', error)
  expect(lines).toEqual([['sockets are turned away', { error }]])
})

test('some file descriptors are reserved, and never more than half of them', () => {
  expect([1_024, 128, 100, 10].map(socketsWithin)).toEqual([960, 64, 50, 5])
  expect(socketsWithin(Infinity)).toBe(Infinity)
  expect(openFilesLimit()).toBeGreaterThan(0)
})
