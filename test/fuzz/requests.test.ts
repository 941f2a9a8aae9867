import { connect } from 'node:net'
import fc from 'fast-check'
import { newKey } from '../support/stock-client.js'
import { serveLocations } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { hostileRequest, type HostileRequest } from '../support/hostile.js'
import { raw } from '../support/raw.js'

/* `npm run fuzz` sends a million of them. FUZZ_SEED repeats a run. */

const runs = Number(process.env['FUZZ_RUNS'] ?? 20_000)
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const atOnce = 32
const unlimited = Object.fromEntries(
  ['postsPerSecond', 'postBurst', 'readsPerSecond', 'readBurst', 'leaveBurst', 'connectionBurst', 'streamBurst'].map((name) => [name, 1e9]), // prettier-ignore
)

/** Sends bytes on a connection of their own; gives what came back until it was clear what it is. */
function sent(port: number, { bytes, isWhole }: HostileRequest): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const isHead = bytes.subarray(0, 5).toString() === 'HEAD '
    const socket = connect({ port, host: '127.0.0.1' })
    const finish = () => {
      clearTimeout(patience)
      socket.destroy()
      resolve(answer)
    }
    // What promises more than it brings is waited for by the server too, for as long as its own limits say.
    const patience = setTimeout(finish, isWhole ? 5_000 : 20)
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
      if (isAnswered(answer, isHead)) finish()
    })
    socket.on('error', finish).on('close', finish)
    socket.write(bytes)
  })
}

/** A whole response, or as much of a stream as says how it goes. */
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

/** What is wrong with an answer, if anything. */
function faultOf(answer: string, { isWhole }: HostileRequest): string | null {
  const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]
  if (status === undefined) return isWhole && answer !== '' ? 'not HTTP' : null
  if (status.startsWith('5')) return `status ${status}`
  if (/"httpStatus":5\d\d/.test(answer)) return 'a server error inside'
  if (/"stack"|node_modules|\.ts:\d/.test(answer)) return 'a stack'
  return null
}

const prototypes = [Object, Array, String, Number, Function, Promise, Map].map(({ prototype }) => prototype as object)
const shape = () => prototypes.map((prototype) => Reflect.ownKeys(prototype).map(String).join())

test(
  `${runs} hostile requests get no server error, change no prototype, and keep nobody from posting`,
  { timeout: 0 },
  async () => {
    const before = shape()
    const errors: unknown[] = []
    const logger = { info() {}, warn() {}, error: (message: string, details?: object) => void errors.push({ message, ...details }) } // prettier-ignore
    await using server = await serveLocations({ limits: unlimited, logger, timing: { rotateMs: 1e6 } })
    const faults: string[] = []
    const tookMs: number[] = []
    const healthy = { 'content-type': 'application/json' }
    for (let done = 0; done < runs && faults.length === 0; done += 1_000) {
      const requests = fc.sample(hostileRequest, { numRuns: Math.min(1_000, runs - done), seed: seed + done })
      const work = async (): Promise<void> => {
        for (let request = requests.pop(); request; request = requests.pop()) {
          const answer = await sent(server.port, request)
          const fault = faultOf(answer, request)
          if (fault)
            faults.push(`${fault}\n${request.bytes.toString('latin1').slice(0, 2_000)}\n-> ${answer.slice(0, 600)}`)
        }
      }
      const probe = async () => {
        const body = JSON.stringify({
          room: 'healthy',
          location: { sheet: 'Q3', row: 1, col: 1 },
          connectionKey: newKey(),
        })
        const startedAt = performance.now()
        const { status } = await raw(`${server.url}/postLocation`, { method: 'POST', headers: healthy, body })
        tookMs.push(performance.now() - startedAt)
        expect([200, 429]).toContain(status)
      }
      await Promise.all([...Array.from({ length: atOnce }, work), probe()])
    }
    expect(faults.slice(0, 3), `FUZZ_SEED=${seed}`).toEqual([])
    expect(errors, `FUZZ_SEED=${seed}`).toEqual([])
    expect(shape()).toEqual(before)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    const p99 = tookMs.toSorted((a, b) => a - b)[Math.floor(tookMs.length * 0.99)]!
    // The fuzzer, which makes and reads all of this, shares the process with the server.
    expect(p99).toBeLessThan(1_000)
    if (runs > 100_000) console.log(`seed ${seed}: ${runs} requests, a healthy post took ${p99.toFixed(1)} ms at p99`)
  },
)
