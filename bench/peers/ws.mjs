import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { metered } from '../servers/meter.mjs'
import { Rooms } from '../servers/rooms.mjs'

// Broadcasts like the guide of ws: a message is encoded once and sent to each client of the room.
const rooms = new Rooms()
const server = createServer()
const sockets = new WebSocketServer({ server })
sockets.on('connection', (socket, request) => {
  const { searchParams } = new URL(request.url, 'http://localhost')
  const { clients, locations } = rooms.of(searchParams.get('room'))
  clients.add(socket)
  socket.send(JSON.stringify({ all: [...locations.values()] }))
  socket.on('close', () => clients.delete(socket))
  socket.on('message', (data) => {
    const update = JSON.parse(data)
    locations.set(update.memberId, update)
    const frame = Buffer.from(JSON.stringify(update))
    for (const client of clients) client.send(frame, { binary: false })
  })
})
server.listen(0, '127.0.0.1', () => metered(`http://127.0.0.1:${server.address().port}`))
