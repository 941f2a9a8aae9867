import { setTimeout as passing } from 'node:timers/promises'
import { systemClock, type CellLocation } from 'hereabouts'
import { createLocationClient, type Room } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import { faultyFetch, serveLocations, skewedClock, type Faults, type FaultyFetch } from 'hereabouts/testing'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { until } from '../../support/until.js'
import type { CellTypes } from '../../support/cell-types.js'

/*
 * After any network fault, every client converges within the liveness bounds of the protocol, and a room is empty after
 * every member has left. FAULT_RUNS sets the number of rooms. The bounds are scaled like the timing of the server.
 */
type Router = LocationServer<CellTypes>['router']
type AnyRoom = Room<CellTypes>

const runs = Number(process.env['FAULT_RUNS'] ?? 200)
const scale = Number(process.env['FAULT_SCALE'] ?? 1 / 50)
const atOnce = 5
/**
 * The bound for convergence. A silent stream is detected after 25 s and retried within 30 s, and a lease ends after
 * 30 s; one heartbeat is added.
 * Before its first hello a client does not know the scale: it waits 10 s for the hello, and after failed attempts it polls
 * every 10 s and tries a stream again after 30 s.
 */
const boundMs = 95_000 * scale + 45_000

const kinds: Record<string, Faults> = {
  'lost requests and answers': { drop: 0.3 },
  'requests that overtake each other': { delayMs: 60 },
  'requests that arrive twice': { duplicate: 0.5, delayMs: 20 },
  'a proxy that answers 502 and 503': { badGateway: 0.4 },
  'streams that are cut at any byte': { cut: 0.7 },
  'streams that stay open without data': { halfOpen: 0.7 },
  'a proxy that buffers streams': { buffering: true },
  'all these faults together': { drop: 0.15, delayMs: 40, duplicate: 0.2, badGateway: 0.15, cut: 0.4, halfOpen: 0.2 },
}

describe('a room after network faults', { timeout: 600_000 }, () => {
  let server: Awaited<ReturnType<typeof serve>>
  const serve = () => serveLocations({ timing: { scale } })
  beforeAll(async () => {
    server = await serve()
  })
  afterAll(() => server?.close())

  const cell = (row: number): CellLocation => ({ sheet: 'Q3', row, col: 0 })
  const placesIn = (members: AnyRoom['members']) =>
    members.map(({ memberId, location }) => `${memberId} ${location?.row}`).toSorted()

  /** Returns what the server shows, what was posted last, and what each client sees. */
  const report = (there: string[], last: number[], rooms: AnyRoom[]) =>
    [
      `truth: ${there.join(', ')}; last posts: ${last.join(', ')}`,
      ...rooms.map((room) => {
        const { status, self, members } = room
        return `${status.state} ${status.postError?.message ?? ''}, self ${self?.location?.row}: ${placesIn(members).join(', ')}`
      }),
    ].join('\n')

  async function converges(seed: number, faults: Faults): Promise<void> {
    const id = `${seed} ${JSON.stringify(faults)}`.slice(0, 120)
    const networks: FaultyFetch[] = [1, 2, 3].map((one) => faultyFetch(faults, { seed: seed * 3 + one }))
    const clients = networks.map(({ fetch }, i) =>
      createLocationClient<Router>({
        url: server.url,
        fetch,
        clock: skewedClock(systemClock, { offsetMs: (i - 1) * 3_600_000, rate: 1 + (i - 1) / 50 }),
      }),
    )
    // The witness only watches, and its network has no faults.
    const witness = createLocationClient<Router>({ url: server.url })
    const seen = witness.watch(id)
    const truth = () => placesIn(seen.members)
    const rooms: AnyRoom[] = clients.map((client, i) => client.join(id, { location: cell(i) }))
    const last = [0, 1, 2]
    for (let row = 10; row < 20; row++) {
      rooms.forEach((room, i) => {
        if ((seed + row + i) % 3 === 0) return
        last[i] = row * 10 + i
        room.post(cell(last[i]))
      })
      await passing(15)
    }
    for (const network of networks) network.faults = {}
    const agree = () => {
      const there = truth()
      return (
        there.length === 3 &&
        last.every((row) => there.some((place) => place.endsWith(` ${row}`))) &&
        rooms.every((room, i) => room.self?.location?.row === last[i]) &&
        rooms.every((room) => placesIn(room.members).join() === there.join())
      )
    }
    await until(`all clients show the same (seed ${seed})`, agree, boundMs).catch((error: Error) => {
      throw new Error(`${error.message}\n${report(truth(), last, rooms)}`)
    })
    await Promise.all(clients.map((client) => client.close()))
    await until(`the room is empty (seed ${seed})`, () => truth().length === 0, boundMs)
    await witness.close()
  }

  const each = Math.ceil(runs / Object.keys(kinds).length)
  test.each(Object.entries(kinds))(`all clients of a room converge after %s (${each} seeds)`, async (_, faults) => {
    for (let first = 0; first < each; first += atOnce) {
      const seeds = Array.from({ length: Math.min(atOnce, each - first) }, (_, i) => first + i + 1)
      await Promise.all(seeds.map((seed) => converges(seed, faults)))
    }
  })
})
