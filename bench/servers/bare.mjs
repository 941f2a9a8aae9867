import { createServer } from 'node:http'
import { metered } from './meter.mjs'
import { jsonOf, Rooms } from './rooms.mjs'

// The minimum in Node: each post is encoded once, and the same Buffer goes to every response of the room.
const rooms = new Rooms()
const event = (data) => Buffer.from(`data: ${JSON.stringify(data)}\n\n`)

async function serve(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost')
  if (pathname === '/stream') {
    const { clients, locations } = rooms.of(searchParams.get('room'))
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    response.write(event({ all: [...locations.values()] }))
    clients.add(response)
    response.on('close', () => clients.delete(response))
    return
  }
  const { room, ...update } = await jsonOf(request)
  const { clients, locations } = rooms.of(room)
  locations.set(update.memberId, update)
  const frame = event(update)
  for (const client of clients) client.write(frame)
  response.writeHead(204).end()
}

const server = createServer((request, response) => void serve(request, response))
server.listen(0, '127.0.0.1', () => metered(`http://127.0.0.1:${server.address().port}`))
