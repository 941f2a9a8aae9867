import { once } from 'node:events'
import { Agent } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as passing } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { openFilesLimit, socketsWithin } from '../../../src/server/standalone/socket-limit.js'
import { loneServer, type LoneServer } from '../../support/servers/lone-server.js'
import { raw } from '../../support/network/raw.js'
import { inputOf } from '../../support/network/raw-client.js'
import { newKey } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'

/*
 * Tests a server that runs out of file descriptors: open connections are still served, new connections are closed, and
 * connections are accepted again when others have closed.
 */

const openFiles = 256
const json = { 'content-type': 'application/json' }

/** Opens a stream and a connection for posts. `isSeen` posts a row and waits until the stream shows it. */
async function company({ port, url }: LoneServer) {
  const viewer = connect(port, '127.0.0.1')
  let seen = ''
  viewer.on('data', (bytes) => (seen += bytes.toString())).on('error', () => {})
  viewer.write(`GET /trpc/onLocation?${inputOf({ room: 'r' })} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const connectionKey = newKey()
  const post = async (row: number) => {
    const body = JSON.stringify({ room: 'r', connectionKey, location: { sheet: 'Q3', row, col: 1 } })
    return (await raw(`${url}/postLocation`, { method: 'POST', headers: json, body, agent })).status
  }
  await until('the stream is open', () => seen.includes('"snapshot"'))
  return {
    isSeen: async (row: number) => {
      expect(await post(row)).toBe(200)
      await until('the move is seen', () => seen.includes(`"row":${row},`))
    },
    [Symbol.dispose]() {
      viewer.destroy()
      agent.destroy()
    },
  }
}

/** Opens connections and keeps each one until the server closes it. */
async function flood(port: number, size: number) {
  const open = new Set<Socket>()
  let turnedAway = 0
  for (let i = 0; i < size; i++) {
    const socket = connect(port, '127.0.0.1')
    open.add(socket)
    socket.on('error', () => {}).resume()
    socket.on('close', () => open.delete(socket) && (turnedAway += 1))
    if (i % 50 === 49) await once(socket, 'connect').catch(() => {})
  }
  return {
    get turnedAway() {
      return turnedAway
    },
    async end() {
      for (const socket of open) socket.destroy()
      await until('all connections are closed', () => open.size === 0)
    },
  }
}

const warnings = async (server: LoneServer) =>
  (await server.report()).logged.filter(({ message }) => message.startsWith('sockets are turned away'))
const isOpen = async ({ url }: LoneServer) =>
  (await raw(new URL('/livez', url).href, { agent: false }).catch(() => null))?.status === 200

async function isIdle(server: LoneServer) {
  const before = await server.report()
  await passing(1_000)
  return (await server.report()).cpuMs - before.cpuMs
}

describe(`a server with at most ${openFiles} open files`, () => {
  test('a server with few file descriptors closes new connections, logs this once, and accepts connections when others close', async () => {
    await using server = await loneServer({ openFiles })
    using people = await company(server)
    await people.isSeen(1)
    const crowd = await flood(server.port, 1_000)
    await until('most connections are refused', () => crowd.turnedAway > 1_000 - openFiles)
    await people.isSeen(2)
    expect(await isOpen(server)).toBe(false)
    // The connections of the flood use less than half of the server's CPU time.
    expect(await isIdle(server)).toBeLessThan(500)
    await people.isSeen(3)
    expect(await warnings(server)).toHaveLength(1)
    await crowd.end()
    await until('a connection is accepted again', () => isOpen(server))
    await people.isSeen(4)
  })

  test('a server serves its open connections even when all file descriptors are used up', async () => {
    await using server = await loneServer({ openFiles })
    using people = await company(server)
    await people.isSeen(1)
    expect(await server.exhaust()).toBeGreaterThan(100)
    const crowd = await flood(server.port, 1_000)
    await until('all connections are refused', () => crowd.turnedAway === 1_000)
    await people.isSeen(2)
    expect(await isIdle(server)).toBeLessThan(500)
    expect(await isOpen(server)).toBe(false)
    expect(server.hasEnded).toBe(false)
    expect((await warnings(server)).length).toBeLessThanOrEqual(1)
    await people.isSeen(3)
  })
})

test('the socket limit leaves 64 file descriptors for other uses, or half of them when there are few', () => {
  expect(openFilesLimit()).toBeGreaterThan(100)
  expect([Infinity, 20_000, 256, 100, 3].map(socketsWithin)).toEqual([Infinity, 19_936, 192, 50, 1])
})
