// @vitest-environment jsdom
import { setImmediate as turn } from 'node:timers/promises'
import type { CellLocation, Changed, Connection } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'
import { createLocationHooks } from 'hereabouts/react'
import type { LocationServer } from 'hereabouts/server/standalone'
import { act, memo } from 'react'
import { createRoot } from 'react-dom/client'
import { expect, test } from 'vitest'
import { manualClock } from '../../src/testing/manual-clock.js'
import { scriptedServer } from '../support/servers/scripted-server.js'
import type { CellTypes } from '../support/cell-types.js'

type Router = LocationServer<CellTypes>['router']
const { RoomProvider, useMembersAt } = createLocationHooks(createLocationClient<Router>({ url: 'http://127.0.0.1:9' }))
Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

const columns = 40
const cells = 2_000
const members = 200
const frames = 20

const place = (cell: number): CellLocation => ({ sheet: 'Q3', row: Math.floor(cell / columns), col: cell % columns })
const cellOf = (member: number, frame: number) => (member * 97 + frame * (member % 7) * 31) % cells
const id = (version: number) => `epochepoch1.${version}`

/** One second in a full room of 200 members, each of whom moves twenty times or stands still. */
test(
  'in a grid of 2,000 cells, only the cells that a member entered or left are rendered again',
  { timeout: 30_000 },
  async () => {
    await using server = await scriptedServer()
    const client = createLocationClient<Router>({ url: server.url, clock: manualClock() })
    const rendered = new Map<number, number>()
    const Cell = memo(function Cell({ cell }: { cell: number }) {
      rendered.set(cell, (rendered.get(cell) ?? 0) + 1)
      return <i>{useMembersAt(place(cell)).length}</i>
    })
    const root = createRoot(document.createElement('main'))
    await act(async () =>
      root.render(
        <RoomProvider client={client} room="r">
          {Array.from({ length: cells }, (_, cell) => (
            <Cell key={cell} cell={cell} />
          ))}
        </RoomProvider>,
      ),
    )
    const delivered = () =>
      act(async () => {
        for (let i = 0; i < 20; i++) await turn()
      })
    const stream = await act(() => server.stream())
    stream.hello()
    const at = (member: number): Connection<CellTypes> => ({
      connectionId: `c${member}`,
      memberId: `m${member}`,
      profile: null,
      location: place(cellOf(member, 0)),
      activity: 'active',
      at: 1,
    })
    stream.snapshot(id(1), ...Array.from({ length: members }, (_, member) => at(member)))
    await delivered()

    for (let frame = 1; frame <= frames; frame++) {
      rendered.clear()
      const touched = new Set<number>()
      const changed: Changed<CellTypes>[] = []
      for (let member = 0; member < members; member++) {
        const [from, to] = [cellOf(member, frame - 1), cellOf(member, frame)]
        if (from === to) continue
        touched.add(from).add(to)
        changed.push({ connectionId: `c${member}`, at: frame + 1, location: place(to) })
      }
      stream.event(id(frame + 1), { type: 'changes', from: id(frame), changed })
      await delivered()
      expect([...rendered.keys()].filter((cell) => !touched.has(cell))).toEqual([])
      expect([...touched].filter((cell) => !rendered.has(cell))).toEqual([])
      expect([...rendered.values()].every((times) => times === 1)).toBe(true)
    }
    await act(async () => root.unmount())
    await client.close()
  },
)
