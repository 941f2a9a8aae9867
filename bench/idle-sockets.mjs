#!/usr/bin/env node
/*
 * Measures the memory of idle WebSockets, each subscribed to a room of 20: the server's heap and RSS for each socket,
 * compared with a bare server of `ws` that broadcasts. The servers take turns, each in a fresh process.
 *
 *     node bench/idle-sockets.mjs                     10,000 sockets
 *     node bench/idle-sockets.mjs --sockets 500
 */
import { spawnSync } from 'node:child_process'
import { setTimeout as passing } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { WebSocket } from 'ws'
import { aligned, median } from './figures.mjs'
import { endAll, startServer } from './processes.mjs'

const { values } = parseArgs({
  options: { sockets: { type: 'string', default: '10000' }, rounds: { type: 'string', default: '1' } },
})
const count = Number(values.sockets)
const roomSize = 20

/**
 * The servers to measure. `open` opens a socket of a room, and `state` is a part of the first message that contains the
 * state of the room.
 */
const servers = {
  'ws, which only broadcasts': {
    file: 'peers/ws.mjs',
    state: '"all"',
    open: (url, room) => new WebSocket(`${url.replace('http', 'ws')}?room=${room}`),
  },
  'Hereabouts over WebSocket': {
    file: 'servers/websocket.mjs',
    state: '"snapshot"',
    open(url, room) {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/trpc`)
      const input = { room, connectionKey: crypto.randomUUID().replaceAll('-', '').slice(0, 22) }
      const subscribe = { id: 1, method: 'subscription', params: { path: 'onLocation', input } }
      return socket.on('open', () => socket.send(JSON.stringify(subscribe)))
    },
  },
}

spawnSync(process.execPath, ['scripts/build.mjs', '--if-stale', 'package'], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (endAll(), process.exit(130)))

const rounds = []
try {
  for (let round = 1; round <= Number(values.rounds); round++) {
    const costs = []
    for (const server of Object.values(servers)) costs.push(await costOfSocket(server))
    rounds.push(costs)
  }
} finally {
  endAll()
}

const times = (figure, i) => `${median(rounds.map((round) => round[i][figure] / round[0][figure])).toFixed(2)}x`
const kb = (figure, i) => (median(rounds.map((round) => round[i][figure])) / 1_024).toFixed(1)
const rows = Object.keys(servers).map((name, i) => [
  name,
  kb('heap', i),
  times('heap', i),
  kb('rss', i),
  times('rss', i),
])
console.log(`${count} idle sockets`)
console.log(aligned([['', 'heap / socket, KB', 'against ws', 'RSS / socket, KB', 'against ws'], ...rows]))

async function costOfSocket({ file, open, state }) {
  const server = await startServer(file)
  const sockets = []
  try {
    // One room and one socket are opened first: memory that a server allocates only once does not count as memory of a
    // socket.
    sockets.push(await opened(() => open(server.url, 'first'), state))
    const before = await server.ask('settle')
    for (let at = 0; at < count; at += 100) {
      const some = Array.from({ length: Math.min(100, count - at) }, (_, i) => Math.floor((at + i) / roomSize))
      sockets.push(...(await Promise.all(some.map((room) => opened(() => open(server.url, `room-${room}`), state)))))
    }
    await passing(1_000)
    const after = await server.ask('settle')
    const heap = after.heap + after.external - before.heap - before.external
    return { heap: heap / count, rss: (after.rss - before.rss) / count }
  } finally {
    for (const socket of sockets) socket.terminate()
    await server.end()
  }
}

function opened(open, state) {
  const socket = open()
  return new Promise((resolve, reject) => {
    socket.on('error', reject).on('close', (code) => reject(new Error(`A socket was closed with ${code}.`)))
    socket.on('message', (data) => {
      if (data.toString().includes(state)) resolve(socket)
    })
  })
}
