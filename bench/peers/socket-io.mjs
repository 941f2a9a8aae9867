import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { metered } from '../servers/meter.mjs'
import { Rooms } from '../servers/rooms.mjs'

// Written like the guide of Socket.IO: join a room, io.to(room).emit().
const rooms = new Rooms()
const server = createServer()
const io = new Server(server)
io.on('connection', (socket) => {
  socket.on('join', (room) => {
    socket.data.room = room
    void socket.join(room)
    socket.emit('locations', [...rooms.of(room).locations.values()])
  })
  socket.on('post', (update) => {
    const { room } = socket.data
    rooms.of(room).locations.set(update.memberId, update)
    io.to(room).emit('location', update)
  })
})
server.listen(0, '127.0.0.1', () => metered(`http://127.0.0.1:${server.address().port}`))
