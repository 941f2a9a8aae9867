import type { Connection, RoomTypesWith } from 'hereabouts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { OwnState } from '../../../src/client/store/member.js'
import { Roster } from '../../../src/client/store/roster.js'
import { View, type Shift } from '../../../src/shared/view.js'

type Types = RoomTypesWith<{ location: { cell: number }; profile: { name: string } }>

const nobody: OwnState<Types> = { connectionId: null, memberId: null, draft: null, since: null }
const me: OwnState<Types> = {
  connectionId: 'c0',
  memberId: 'm0',
  draft: { location: { cell: 9 } },
  since: new Date(0),
}

/** Arbitrary changes to a room of a few members with a few tabs each. */
const doing = fc.record({
  what: fc.constantFrom('set', 'set', 'set', 'leave', 'stale', 'away', 'own'),
  who: fc.nat(6),
  cell: fc.nat(3),
})
const history = fc.array(doing, { maxLength: 40 })
type Doing = typeof doing extends fc.Arbitrary<infer T> ? T : never

/** Returns the connection of a tab: m0 and m1 have three tabs each, m2 has one. */
const connection = ({ who, cell }: Doing, at: number): Connection<Types> => ({
  connectionId: `c${who}`,
  memberId: `m${Math.floor(who / 3)}`,
  profile: { name: `n${Math.floor(who / 3)}` },
  location: { cell },
  activity: 'active',
  at,
})

function play(history: Doing[], eachStep: (roster: Roster<Types>, at: number) => void = () => {}) {
  const view = new View<Types>()
  const roster = new Roster<Types>()
  let own = nobody
  let away = false
  history.forEach((doing, i) => {
    const shifts: Shift<Types>[] = []
    const id = `c${doing.who}`
    if (doing.what === 'set') shifts.push(view.set(id, connection(doing, 1000 * (i + 1))))
    if (doing.what === 'leave' && view.connections.has(id)) shifts.push(view.set(id, null, 'left'))
    if (doing.what === 'stale' && view.connections.has(id)) view.setStale(view.connections.get(id)!)
    if (doing.what === 'away') away = !away
    if (doing.what === 'own') own = own === me ? nobody : me
    roster.update(view, own, shifts, away)
    eachStep(roster, i)
  })
  return { view, roster, own, away }
}

/** Returns a new roster that is built from the same view at once. */
function afresh({ view, own, away }: ReturnType<typeof play>) {
  const roster = new Roster<Types>()
  const all = [...view.connections.values(), ...view.stale.values()]
  const shifts = all.map((current) => ({ connectionId: current.connectionId, previous: null, current }))
  roster.update(view, own, shifts, away)
  return roster
}
const sorted = (members: readonly { memberId: string }[]) =>
  members.toSorted((a, b) => a.memberId.localeCompare(b.memberId))

describe('a roster', () => {
  test('a roster updated step by step equals one that is built from the final view', () => {
    fc.assert(
      fc.property(history, (history) => {
        // The index of locations is kept up to date only after its first use, so it is used in each step.
        const played = play(history, (roster) => {
          roster.membersAt({ cell: 0 })
          roster.membersAt({ cell: 0 }, { windows: 'all' })
        })
        const fresh = afresh(played)
        expect(sorted(played.roster.members)).toEqual(sorted(fresh.members))
        expect(sorted(played.roster.others)).toEqual(sorted(fresh.others))
        expect(played.roster.self).toEqual(fresh.self)
        for (const cell of [0, 1, 2, 3, 9])
          for (const windows of [{}, { windows: 'all' }] as const)
            expect(sorted(played.roster.membersAt({ cell }, windows))).toEqual(
              sorted(fresh.membersAt({ cell }, windows)),
            )
      }),
      { numRuns: 500 },
    )
  })

  test('a roster finds each member once by location: where the member is shown, and with `windows: all` wherever a window is', () => {
    fc.assert(
      fc.property(history, (history) => {
        const { roster } = play(history, (roster) => roster.membersAt({ cell: 0 }, { windows: 'all' }))
        for (const cell of [0, 1, 2, 3, 9]) {
          const isHere = ({ location }: { location: { cell: number } | null }) => location?.cell === cell
          expect(sorted(roster.membersAt({ cell }))).toEqual(sorted(roster.members.filter(isHere)))
          expect(sorted(roster.membersAt({ cell }, { windows: 'all' }))).toEqual(
            sorted(roster.members.filter(({ connections }) => connections.some(isHere))),
          )
        }
      }),
    )
  })

  test('a roster keeps the identity of unchanged members, lists and members at a location', () => {
    fc.assert(
      fc.property(history, (history) => {
        let before: { members: readonly object[]; places: (readonly object[])[] } = { members: [], places: [] }
        play(history, (roster) => {
          const places = [0, 1, 2, 3].flatMap((cell) => [
            roster.membersAt({ cell }),
            roster.membersAt({ cell }, { windows: 'all' }),
          ])
          places.forEach((now, cell) => {
            const then = before.places[cell] ?? []
            const same = then.length === now.length && then.every((member, i) => member === now[i])
            if (same && now.length > 0) expect(now).toBe(then)
          })
          for (const member of roster.members) {
            const known = before.members.find((each) => (each as typeof member).memberId === member.memberId)
            if (known && JSON.stringify(known) === JSON.stringify(member)) expect(member).toBe(known)
          }
          before = { members: roster.members, places }
        })
      }),
    )
  })

  test('an update of a roster returns exactly the members who entered, left or changed', () => {
    const view = new View<Types>()
    const roster = new Roster<Types>()
    const set = (who: number, cell: number, at: number) =>
      view.set(`c${who}`, connection({ what: 'set', who, cell }, at))
    roster.update(view, nobody, [set(0, 1, 1), set(3, 1, 2), set(6, 1, 3)], false)
    const steps = roster.update(view, nobody, [set(0, 2, 4), view.set('c6', null, 'left')], false)
    expect(steps).toMatchObject([
      { before: { memberId: 'm0', location: { cell: 1 } }, now: { memberId: 'm0', location: { cell: 2 } } },
      { before: { memberId: 'm2' }, now: null },
    ])
  })
})
