import { manualClock, serveLocations } from 'hereabouts/testing'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import * as z from 'zod'
import { RateLimits } from '../../../src/server/access/rate-limits.js'
import { rawSocket } from '../../support/clients/raw-socket.js'

/* A call is charged to its member, address and room by the same amounts over HTTP, in a batch and over a WebSocket. */

const connectionKey = 'k'.repeat(22)
const own = { room: 'r', connectionKey }
const cell = { sheet: 'Q3', row: 1, col: 2 }
const claim = { room: 'r', connectionKey, location: cell, lockSeq: 1 }

type Call = { path: string; type: 'query' | 'mutation' | 'subscription'; input: object }
type Charges = Record<string, number>

const everyone = (action: string, cost = 1) => ({ [`${action} member`]: cost, [`${action} address`]: cost })
const rooms = (count: number) => Array.from({ length: count }, (_, i) => `room ${i}`)

/** Each kind of call by a member whose connection is in the room, and the tokens that the call is charged. */
const table: [name: string, Call, Charges][] = [
  ['a post', { path: 'postLocation', type: 'mutation', input: { ...own, location: cell } }, everyone('post')],
  [
    'a post of a new connection',
    { path: 'postLocation', type: 'mutation', input: { room: 'r', connectionKey: 'n'.repeat(22), location: cell } },
    { ...everyone('post'), ...everyone('connect') },
  ],
  ['a query', { path: 'getLocations', type: 'query', input: { room: 'r' } }, everyone('read')],
  ['a count of 9 rooms', { path: 'countMembers', type: 'query', input: { rooms: rooms(9) } }, everyone('read')],
  ['a count of 25 rooms', { path: 'countMembers', type: 'query', input: { rooms: rooms(25) } }, everyone('read', 3)],
  ['a stream', { path: 'onLocation', type: 'subscription', input: { room: 'r' } }, everyone('stream')],
  [
    'a broadcast',
    { path: 'broadcastToRoom', type: 'mutation', input: { ...own, name: 'note', payload: 'hi' } },
    { ...everyone('broadcast'), 'broadcast room': 1 },
  ],
  ['a lock', { path: 'lockLocation', type: 'mutation', input: claim }, everyone('post')],
  ['an unlock', { path: 'unlockLocation', type: 'mutation', input: { ...claim, fence: 1 } }, everyone('post')],
  // A leave comes last, because it ends the connection that the other calls use.
  ['a leave', { path: 'leaveRoom', type: 'mutation', input: own }, everyone('leave')],
]

/** Functions that send a call in one way and wait for its answer. */
const ways: Record<string, (url: string, call: Call) => Promise<unknown>> = {
  async 'by plain HTTP'(url, { path, type, input }) {
    const query = type === 'mutation' ? '' : `?input=${encodeURIComponent(JSON.stringify(input))}`
    await answered(`${url}/${path}${query}`, type, input)
  },
  async 'in a batch, through tRPC'(url, { path, type, input }) {
    const batch = { 0: input }
    const query = type === 'mutation' ? '' : `&input=${encodeURIComponent(JSON.stringify(batch))}`
    // A subscription is never batched.
    if (type === 'subscription') return ways['by plain HTTP']!(url, { path, type, input })
    await answered(`${url}/${path}?batch=1${query}`, type, batch)
  },
  async 'over a WebSocket'(url, { path, type, input }) {
    using socket = rawSocket(url)
    await socket.opened()
    socket.send({ id: 1, method: type, params: { path, input } })
    await socket.find('the answer', ({ id }) => id === 1)
  },
}

async function answered(url: string, type: Call['type'], body: object) {
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(url, type === 'mutation' ? post : {})
  expect(response.status).toBe(200)
  if (type === 'subscription') await response.body!.cancel()
  else await response.text()
}

let charges: Charges = {}
beforeEach(() => {
  charges = {}
  const count = (key: string, cost: number) => void (charges[key] = (charges[key] ?? 0) + cost)
  const spies = [
    vi.spyOn(RateLimits.prototype, 'charge').mockImplementation((action, { memberId, address }, cost = 1) => {
      if (memberId !== null && cost > 0) count(`${action} member`, cost)
      if (address !== null && cost > 0) count(`${action} address`, cost)
    }),
    vi.spyOn(RateLimits.prototype, 'chargeRoom').mockImplementation(() => count('broadcast room', 1)),
  ]
  onTestFinished(() => spies.forEach((spy) => spy.mockRestore()))
})

/** Starts a server with every procedure, on which the member `ada` has a connection in the room `r`. */
async function served() {
  const clock = manualClock()
  const server = await serveLocations({
    locks: true,
    broadcasts: { note: z.string() },
    webSocket: true,
    clock,
    timing: { claimMs: 0, frameMinMs: 0 },
    identify: () => ({ memberId: 'ada' }),
    authorize: () => true,
    clientIp: () => '203.0.113.7',
  })
  onTestFinished(() => server.close())
  await ways['by plain HTTP']!(server.url, table[0]![1])
  charges = {}
  return server
}

test.each(Object.keys(ways))('a call sent %s is charged its cost to the member, address and room', async (way) => {
  const server = await served()
  for (const [name, call, costs] of table) {
    charges = {}
    await ways[way]!(server.url, call)
    expect(charges, name).toEqual(costs)
  }
})
