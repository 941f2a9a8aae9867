import { createChannel, createSession } from 'better-sse'
import { createServer } from 'node:http'
import { metered } from '../servers/meter.mjs'
import { jsonOf, Rooms } from '../servers/rooms.mjs'

// Written like better-sse's guide: a session for each stream, a channel for each room, and broadcast.
const rooms = new Rooms()
const channels = new Map()
const channelOf = (room) => {
  let channel = channels.get(room)
  if (!channel) channels.set(room, (channel = createChannel()))
  return channel
}

async function serve(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost')
  if (pathname === '/stream') {
    const room = searchParams.get('room')
    const session = await createSession(request, response)
    session.push({ all: [...rooms.of(room).locations.values()] })
    channelOf(room).register(session)
    return
  }
  const { room, ...update } = await jsonOf(request)
  rooms.of(room).locations.set(update.memberId, update)
  channelOf(room).broadcast(update)
  response.writeHead(204).end()
}

const server = createServer((request, response) => void serve(request, response))
server.listen(0, '127.0.0.1', () => metered(`http://127.0.0.1:${server.address().port}`))
