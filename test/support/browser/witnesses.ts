import { createLocationClient, type Room } from 'hereabouts/client'
import { cell, type Cells } from '../clients/stock-client.js'
import { until } from '../until.js'
import type { CellTypes } from '../cell-types.js'

/** The time that a slow machine may add to any bound. */
const slackMs = 4_000

export type Witnesses = Awaited<ReturnType<typeof witnessesOf>>

/** Opens three clients that observe one member. The first of them, Bo, is in the room too and can move. */
export async function witnessesOf(url: string, room: string, name: string) {
  const clients = [1, 2, 3].map(() => createLocationClient<Cells>({ url }))
  const [joins, ...watches] = clients
  const bo = joins!.join(room, { profile: { name: 'Bo' }, location: cell(0) })
  const seats: Pick<Room<CellTypes>, 'others' | 'on' | 'ready'>[] = [bo]
  for (const client of watches) seats.push(client.watch(room))
  const leaves: { who: string | undefined; at: number }[] = []
  for (const seat of seats)
    seat.on('left', ({ member }) => leaves.push({ who: member.profile?.name, at: performance.now() }))
  await Promise.all(seats.map((seat) => seat.ready()))
  const of = (seat: (typeof seats)[number]) => seat.others.find(({ profile }) => profile?.name === name)
  let row = 0
  return {
    leaves,
    /** The number of windows of the member, as each client sees it. */
    windows: () => seats.map((seat) => of(seat)?.connections.length ?? 0),
    places: () => seats.map((seat) => of(seat)?.location?.row),
    activities: () => seats.map((seat) => of(seat)?.activity),
    /** Moves Bo. Resolves with the new row. */
    async move() {
      bo.post(cell(++row))
      await bo.flush()
      return row
    },
    /** Waits until the clients see `expected` windows, or for `withinMs`. Resolves with the number of surplus ones. */
    async ghosts(expected: number, withinMs: number) {
      const tooMany = () => Math.max(...this.windows()) - expected
      await until('the number of windows is as expected', () => tooMany() === 0, withinMs + slackMs).catch(() => {})
      return tooMany()
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()))
    },
  }
}
