import { randomBytes } from 'node:crypto'
import { setTimeout as passing } from 'node:timers/promises'
import { createLocationClient, type Room } from 'hereabouts/client'
import type { CellLocation } from 'hereabouts'
import { keysOf } from '../../../src/server/backends/redis/keys.js'
import type { NodeClient } from './nodes.js'
import type { Cells } from '../clients/stock-client.js'
import { until } from '../until.js'
import type { CellTypes } from '../cell-types.js'

type Person = {
  room: Room<CellTypes>
  /** The number of moves so far. The column of a location identifies the person, and its row is this number. */
  moves: number
  close(): Promise<void>
}

/** The columns from this one on belong to visitors. */
export const firstVisitor = 1_000
const isVisitor = (location: CellLocation | null) => location !== null && location.col >= firstVisitor

/** Several people in one room, each with their own client. Knows where they all are, so what each client must show. */
export class Crowd implements AsyncDisposable {
  readonly #people: Person[] = []
  /** How often a client showed a person leaving (`left`), or an older move after a newer one (`stepsBack`). */
  left = 0
  stepsBack = 0
  /** The delays from a post until each client showed the move, in milliseconds. */
  readonly delays: number[] = []
  readonly #postedAt = new Map<string, number>()
  #visitors = 0

  readonly #fetch: typeof fetch

  private constructor(through: typeof fetch) {
    this.#fetch = through
  }

  /** @param urls the server that each person uses: one entry for each person. */
  static async gather(urls: string[], room: string, withinMs?: number, through = fetch): Promise<Crowd> {
    const crowd = new Crowd(through)
    urls.forEach((url, col) => crowd.#people.push(crowd.#join(url, room, col)))
    await crowd.agree('all clients show all people', withinMs)
    crowd.left = crowd.stepsBack = 0
    return crowd
  }

  get size(): number {
    return this.#people.length
  }

  #join(url: string, id: string, col: number): Person {
    const client = createLocationClient<Cells>({ url, fetch: this.#fetch })
    const room = client.join(id, { location: { sheet: 'Q3', row: 0, col } })
    const newest = new Map<number, number>()
    room.on('left', ({ previous }) => void (this.left += isVisitor(previous) ? 0 : 1))
    room.on('moved', ({ current }) => {
      if (!current) return
      if (current.row < (newest.get(current.col) ?? 0)) this.stepsBack++
      newest.set(current.col, current.row)
      const postedAt = this.#postedAt.get(`${current.col}:${current.row}`)
      if (postedAt !== undefined) this.delays.push(performance.now() - postedAt)
    })
    return { room, moves: 0, close: () => client.close() }
  }

  /** Moves one person. */
  move(col: number): void {
    const person = this.#people[col]!
    const row = ++person.moves
    this.#postedAt.set(`${col}:${row}`, performance.now())
    person.room.post({ sheet: 'Q3', row, col })
  }

  /** Moves all people in turn for `forMs`, with `pauseMs` between two moves of the same person. */
  async stroll(forMs: number, pauseMs = 100): Promise<void> {
    const end = performance.now() + forMs
    for (let turn = 0; performance.now() < end; turn++) {
      this.move(turn % this.size)
      await passing(pauseMs / this.size)
    }
  }

  /** True if each client is live and shows exactly the other people, each at their newest location. */
  get agrees(): boolean {
    const truth = this.#people.map(({ moves }, col) => `${col}:${moves}`)
    return this.#people.every(({ room }, own) => {
      if (room.status.state !== 'live') return false
      const expected = truth.filter((_, col) => col !== own).toSorted()
      const others = room.others.filter(({ location }) => !isVisitor(location))
      const isFresh = others.every(({ connections }) => connections.every(({ stale }) => !stale))
      const seen = others.map(({ location }) => `${location?.col}:${location?.row}`).toSorted()
      return isFresh && expected.join() === seen.join()
    })
  }

  /** True if the room in Redis holds exactly the people of this crowd, each at their newest location. */
  async isStoredIn(redis: NodeClient, room: string): Promise<boolean> {
    const values = await redis.hVals(keysOf(room, 'hereabouts')[1]!)
    const stored = values.join('\n').matchAll(/"col":(\d+),"row":(\d+)/g)
    const truth = this.#people.map(({ moves }, col) => `${col}:${moves}`)
    return (
      truth.toSorted().join() ===
      Array.from(stored, ([, col, row]) => `${col}:${row}`)
        .toSorted()
        .join()
    )
  }

  /**
   * Adds a visitor who posts once and opens one stream at the given server, and does not reconnect when the server is
   * gone. Resolves when everyone sees the visitor, with a function that returns whether anyone still does.
   */
  async visit(url: string, room: string): Promise<() => boolean> {
    const col = firstVisitor + ++this.#visitors
    const key = randomBytes(16).toString('base64url')
    const input = encodeURIComponent(JSON.stringify({ room, connectionKey: key }))
    fetch(`${url}/onLocation?input=${input}`, { headers: { accept: 'text/event-stream' } })
      .then(({ body }) => body?.pipeTo(new WritableStream()))
      .catch(() => {})
    const body = JSON.stringify({ room, connectionKey: key, memberKey: key, location: { sheet: 'Q3', row: 0, col } })
    await fetch(`${url}/postLocation`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const isSeenBy = (person: Person) => person.room.others.some(({ location }) => location?.col === col)
    await until('all clients show the visitor', () => this.#people.every(isSeenBy))
    return () => this.#people.some(isSeenBy)
  }

  /** Waits until all clients agree. Resolves with the duration in milliseconds. */
  async agree(what = 'all clients agree again', withinMs = 12_000): Promise<number> {
    const began = performance.now()
    await until(what, () => this.agrees, withinMs)
    return Math.round(performance.now() - began)
  }

  /** The expected locations and those that each client shows, as JSON for error messages. */
  get seen(): string {
    const seen = this.#people.map(({ room }) => room.others.map(({ location }) => `${location?.col}:${location?.row}`))
    return JSON.stringify({ truth: this.#people.map(({ moves }, col) => `${col}:${moves}`), seen })
  }

  /** The connection states of all clients. */
  get statuses(): string[] {
    return this.#people.map(({ room }) => room.status.state)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#people.map(({ close }) => close()))
  }
}

/** Returns the nth percentile of some numbers, for the figures that tests print. */
export function percentile(numbers: readonly number[], nth: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * nth) / 100))] ?? Number.NaN)
}
