#!/usr/bin/env node
/*
 * Members that post as fast as they are answered, and as many viewers, over real HTTP, with the server in a separate
 * process. Every viewer must converge, and the server's heap must not grow.
 *
 *     npm run build && node bench/closed-loop.mjs --seconds 30
 */
import { fork } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { Agent, get, request } from 'node:http'
import { setTimeout as passing } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { applyEvent, cellLocation, View } from 'hereabouts'
import { silentLogger } from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'

const room = 'closed-loop'
const maxGrowthBytes = 20_000_000

if (process.argv[2] === 'serve') await serve()
else await run()

async function serve() {
  // Rate limits are lifted, because they are not measured here.
  const limits = { postsPerSecond: 1e9, postBurst: 1e9 }
  const server = createLocationServer({ location: cellLocation, anonymous: true, limits, logger: silentLogger })
  const { url } = await server.listen(0)
  process.on('message', () => {
    globalThis.gc()
    globalThis.gc()
    process.send({ heap: process.memoryUsage().heapUsed })
  })
  process.on('disconnect', () => process.exit(0))
  process.send({ url })
}

async function run() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '30' },
      members: { type: 'string', default: '200' },
      viewers: { type: 'string', default: '200' },
    },
  })
  const [seconds, memberCount, viewerCount] = [values.seconds, values.members, values.viewers].map(Number)
  const server = fork(fileURLToPath(import.meta.url), ['serve'], { execArgv: ['--expose-gc'] })
  const [{ url }] = await once(server, 'message')
  const heap = async () => {
    server.send('heap')
    const [{ heap }] = await once(server, 'message')
    return heap
  }

  const viewers = await Promise.all(Array.from({ length: viewerCount }, () => look(url)))
  const agent = new Agent({ keepAlive: true })
  let posting = true
  const members = Array.from({ length: memberCount }, () => join(url, agent, () => posting))
  const loops = Promise.all(members.map(({ loop }) => loop))
  await passing((seconds / 3) * 1_000)
  const early = await heap()
  await passing((seconds / 3) * 2_000)
  const late = await heap()
  posting = false
  await loops
  const truth = await settled(url, agent, viewers)
  const wrong = faultsOf(truth, members, viewers)
  const posts = members.reduce((sum, { seq }) => sum + seq, 0)
  const frames = viewers.reduce((sum, viewer) => sum + viewer.frames, 0)
  const growthBytes = late - early
  if (growthBytes > maxGrowthBytes) wrong.push(`the heap grew by ${mb(growthBytes)}`)
  const isRight = wrong.length === 0
  console.log(`${posts} posts (${Math.round(posts / seconds)}/s), ${frames} frames to ${viewerCount} viewers`)
  console.log(`heap after gc: ${mb(early)} after ${round(seconds / 3)} s, ${mb(late)} after ${round(seconds)} s`)
  console.log(isRight ? 'every viewer ended at the true state' : wrong.slice(0, 10).join('\n'))
  viewers.forEach(({ close }) => close())
  agent.destroy()
  server.disconnect()
  process.exitCode = isRight ? 0 : 1
}

/** A member that sends its next post as soon as the last one is answered. */
function join(url, agent, isPosting) {
  const connectionKey = randomBytes(16).toString('base64url')
  const member = { seq: 0, connectionId: null, location: null, failures: [] }
  const post = async () => {
    const location = { sheet: 'Q3', row: randomInt(1_000), col: randomInt(26) }
    const input = { room, connectionKey, seq: member.seq + 1, location }
    const { result, error } = await call(url, agent, 'postLocation', input)
    member.seq += 1
    if (error) return void member.failures.push(error.message)
    if (!['applied', 'same'].includes(result.data.outcome))
      member.failures.push(`a post was answered ${result.data.outcome}`)
    member.connectionId = result.data.connectionId
    member.location = location
  }
  const loop = (async () => {
    while (isPosting()) await post()
  })()
  return Object.assign(member, { loop })
}

/** A viewer that follows the rules of the protocol, and records what the server did wrong. */
async function look(url) {
  const viewer = { view: new View(), frames: 0, faults: [], close() {} }
  const input = encodeURIComponent(JSON.stringify({ room }))
  const stream = get(`${url}/trpc/onLocation?input=${input}`, { agent: false })
  const [response] = await once(stream, 'response')
  let isOpen = true
  viewer.close = () => {
    isOpen = false
    stream.destroy()
  }
  stream.on('error', () => {})
  response.on('error', () => {})
  response.on('close', () => isOpen && viewer.faults.push('a stream was cut'))
  response.setEncoding('utf8')
  let text = ''
  response.on('data', (chunk) => {
    const messages = (text + chunk).split('\n\n\n')
    text = messages.pop()
    for (const message of messages) {
      const [, data, id] = /^data: (.*)\nid: (.*)$/.exec(message) ?? []
      if (data === undefined) continue
      viewer.frames += 1
      const applied = applyEvent(viewer.view, id, JSON.parse(data))
      if (applied.outcome === 'diverged') viewer.faults.push(`a viewer diverged: ${applied.because}`)
    }
  })
  return viewer
}

/** Returns the state of the room once every viewer has converged, or after a time limit. */
async function settled(url, agent, viewers) {
  const end = performance.now() + 15_000
  for (;;) {
    const { result } = await call(url, agent, 'getLocations', { room })
    const { id, event } = result.data
    if (viewers.every(({ view }) => view.id === id) || performance.now() > end)
      return { id, connections: event.connections }
    await passing(50)
  }
}

function faultsOf({ id, connections }, members, viewers) {
  const wrong = [...members.flatMap(({ failures }) => failures), ...viewers.flatMap(({ faults }) => faults)]
  const shown = new Map(connections.map((connection) => [connection.connectionId, JSON.stringify(connection)]))
  if (connections.length !== members.length) wrong.push(`${connections.length} of ${members.length} members are there`)
  for (const { connectionId, location } of members) {
    const there = connections.find((connection) => connection.connectionId === connectionId)?.location
    const isTrue = there?.row === location?.row && there?.col === location?.col
    if (!isTrue) wrong.push(`${connectionId} is shown at a wrong location`)
  }
  for (const { view } of viewers) {
    if (view.id !== id) wrong.push(`a viewer is at version ${view.id}, the room at ${id}`)
    const sees = [...view.connections.values()]
    const isTrue =
      sees.length === shown.size && sees.every((each) => sorted(each) === sorted(shown.get(each.connectionId)))
    if (!isTrue) wrong.push('the view of a viewer differs from the room')
  }
  return wrong
}

/** Returns a connection as text, independent of the order of its properties. */
function sorted(connection) {
  if (connection === undefined) return ''
  const entries = Object.entries(typeof connection === 'string' ? JSON.parse(connection) : connection)
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function call(url, agent, procedure, input) {
  const isQuery = procedure === 'getLocations'
  const path = isQuery ? `?input=${encodeURIComponent(JSON.stringify(input))}` : ''
  const headers = { 'content-type': 'application/json' }
  return new Promise((resolve, reject) => {
    const options = { agent, method: isQuery ? 'GET' : 'POST', headers }
    const sent = request(`${url}/trpc/${procedure}${path}`, options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => (text += chunk))
      response.on('end', () => resolve(JSON.parse(text)))
    })
    sent.on('error', reject)
    sent.end(isQuery ? undefined : JSON.stringify(input))
  })
}

function mb(bytes) {
  return `${round(bytes / 1e6)} MB`
}

function round(number) {
  return Math.round(number * 10) / 10
}
