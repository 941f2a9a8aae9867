import { createServer } from 'node:http'
import { metered } from './meter.mjs'
import { jsonOf } from './rooms.mjs'

// The minimum cost of a post in Node: the JSON is read, and answered at the room's next tick, as Hereabouts does.
// Nothing is checked, ordered, stored or broadcast.
const frameMs = 16
const waiting = new Map()

async function serve(request, response) {
  const { room, seq } = await jsonOf(request)
  const answer = () => {
    response.setHeader('content-type', 'application/json')
    response.write(JSON.stringify({ result: { data: { outcome: 'applied', seq } } }))
    response.end()
  }
  const known = waiting.get(room)
  if (known) return known.push(answer)
  waiting.set(room, [answer])
  setTimeout(() => {
    const answers = waiting.get(room)
    waiting.delete(room)
    for (const each of answers) each()
  }, frameMs)
}

const server = createServer((request, response) => void serve(request, response))
server.listen(0, '127.0.0.1', () => metered(`http://127.0.0.1:${server.address().port}`))
