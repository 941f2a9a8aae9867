import { connect } from 'node:net'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { built } from '../support/built.js'
import { inParts, isFuzzing, runsOf } from '../support/fuzz-runs.js'
import { healthyClient } from '../support/clients/healthy-client.js'
import { hostileRequest, type HostileRequest } from '../support/hostile.js'
import { loneServer } from '../support/servers/lone-server.js'

/* Hostile HTTP requests, as bytes on a socket. `npm run fuzz` sends a million. */

const runs = runsOf(20_000)
const atOnce = 32
const unlimited = Object.fromEntries(
  ['postsPerSecond', 'postBurst', 'readsPerSecond', 'readBurst', 'leaveBurst', 'connectionBurst', 'streamBurst'].map((name) => [name, 1e9]), // prettier-ignore
)

/** Sends bytes on a new connection. Resolves with the response, or with the beginning of a stream. */
function sent(port: number, { bytes, isWhole }: HostileRequest): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const isHead = bytes.subarray(0, 5).toString() === 'HEAD '
    const socket = connect({ port, host: '127.0.0.1' })
    const finish = () => {
      socket.destroy()
      resolve(answer)
    }
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
      if (isAnswered(answer, isHead)) finish()
    })
    socket.on('error', finish).on('close', finish)
    // The time limit makes a request without an answer fail the test.
    socket.setTimeout(5_000, finish)
    // The end of the connection tells the server that the rest of an incomplete request will not come.
    if (isWhole) socket.write(bytes)
    else socket.end(bytes)
  })
}

/** True once the response is complete, or once a stream has sent its first state or its error. */
function isAnswered(answer: string, isHead: boolean): boolean {
  const end = answer.indexOf('\r\n\r\n')
  if (end === -1) return false
  const [head, body] = [answer.slice(0, end).toLowerCase(), answer.slice(end + 4)]
  if (isHead || /^http\/1\.1 (204|304)/.test(head)) return true
  if (head.includes('text/event-stream'))
    return /event: (serialized-error|return)|"type":"(snapshot|changes)"/.test(body)
  const length = /content-length: (\d+)/.exec(head)?.[1]
  return length === undefined ? body.endsWith('0\r\n\r\n') : body.length >= Number(length)
}

/** Returns the fault of an answer, or null. */
function faultOf(answer: string, { isWhole }: HostileRequest): string | null {
  const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]
  if (status === undefined && !isWhole) return null
  if (status === undefined) return answer === '' ? 'no answer to a whole request' : 'not HTTP'
  if (status.startsWith('5')) return `status ${status}`
  if (/"httpStatus":5\d\d/.test(answer)) return 'the answer contains a 5xx error'
  if (/"stack"|node_modules|\.ts:\d/.test(answer)) return 'the answer contains a stack trace'
  return null
}

/** A valid post. */
const ordinary = (): HostileRequest => {
  const body = JSON.stringify({ room: 'a', location: { sheet: 'Q3', row: 1, col: 1 }, connectionKey: 'k'.repeat(22) })
  const head = `POST /trpc/postLocation HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`
  return { bytes: Buffer.from(`${head}\r\n\r\n${body}`), isWhole: true }
}

/** Sends all requests, `atOnce` at a time. */
async function sentAll(port: number, requests: HostileRequest[]): Promise<void> {
  const work = async (): Promise<void> => {
    for (let request = requests.pop(); request; request = requests.pop()) {
      const answer = await sent(port, request)
      const fault = faultOf(answer, request)
      const asked = request.bytes.toString('latin1').slice(0, 2_000)
      if (fault) throw new Error(`${fault}\n${asked}\n-> ${answer.slice(0, 600)}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

beforeAll(() => built('package'), 120_000)

test(
  `${runs} hostile HTTP requests cause no 5xx, change no prototype, and do not slow the posts of other members`,
  { timeout: 0 },
  async () => {
    await using server = await loneServer({ limits: unlimited, timing: { rotateMs: 1e6 } })
    await using others = healthyClient(server.url)
    const before = await server.report()
    // Two runs of valid requests at the rate of the hostile ones: the first warms up, the second is the baseline.
    for (const times of [500, 2_000]) {
      await others.health()
      await sentAll(server.port, Array.from({ length: times }, ordinary))
    }
    const usual = await others.health()
    await inParts(runs, 1_000, ({ seed, numRuns }) =>
      sentAll(server.port, fc.sample(hostileRequest, { seed, numRuns })),
    )
    const [then, after] = [await others.health(), await server.report()]
    if (isFuzzing) console.log(`a post of others took ${usual.p50.toFixed(1)} ms, ${usual.p99.toFixed(1)} at p99 among ordinary requests; ${then.p50.toFixed(1)} ms, ${then.p99.toFixed(1)} at p99 among hostile ones; ${then.posts} posts`) // prettier-ignore
    expect(after.logged.filter(({ level }) => level === 'error' || level === 'uncaught')).toEqual([])
    expect(after.prototypes).toEqual(before.prototypes)
    expect(server.hasEnded).toBe(false)
    expect(then.statuses).toEqual([])
    // The bound is wide in CI, where other tests run at the same time.
    expect(then.p99).toBeLessThan(Math.max(2 * usual.p99, isFuzzing ? 20 : 500))
  },
)
