import type { CellLocation, RoomTypesWith } from 'hereabouts'
import type { RoomEvents } from 'hereabouts/client'
import { fakeRoom, manualClock } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import type { CellTypes } from '../support/cell-types.js'

type Broadcasting = RoomTypesWith<{ location: CellLocation; broadcasts: { wave: number } }>

const cell = (row: number): CellLocation => ({ sheet: 'Q3', row, col: 0 })

describe('a fake room', () => {
  test('a fake room is joined and live, and shows the members of `others`', async () => {
    await using fake = await fakeRoom({ others: { ada: { location: cell(1), profile: { name: 'Ada' } } } })
    expect(fake.room.status).toEqual({ state: 'live' })
    expect(fake.room.others).toMatchObject([{ memberId: 'ada', profile: { name: 'Ada' }, location: cell(1) }])
    expect(fake.room.self).toMatchObject({ memberId: 'me', location: null })
  })

  test('a fake room emits events when the test lets other members enter, move, change and leave', async () => {
    await using fake = await fakeRoom()
    const news: [string, object][] = []
    for (const kind of ['entered', 'moved', 'updated', 'left'] as const)
      fake.room.on(kind, (event: RoomEvents<CellTypes>[typeof kind]) => news.push([kind, event]))
    await fake.enters('ada', { location: cell(1) })
    expect(fake.room.membersAt(cell(1))).toHaveLength(1)
    await fake.moves('ada', cell(2))
    expect(fake.room.membersAt(cell(1))).toHaveLength(0)
    await fake.updates('ada', { activity: 'away', profile: { name: 'Countess' } })
    await fake.leaves('ada', 'lost')
    expect(fake.room.others).toEqual([])
    expect(news).toMatchObject([
      ['entered', { current: cell(1) }],
      ['moved', { previous: cell(1), current: cell(2) }],
      ['updated', { changed: ['profile', 'activity'] }],
      ['left', { reason: 'lost' }],
    ])
  })

  test('a fake room records our posts, and refuses them after `refusesPosts`', async () => {
    await using fake = await fakeRoom({ profile: { name: 'Me' } })
    fake.room.post(cell(3))
    await fake.room.flush()
    expect(fake.posts).toEqual([
      { location: null, profile: { name: 'Me' } },
      { location: cell(3), profile: { name: 'Me' } },
    ])
    fake.refusesPosts('That cell is not there.')
    fake.room.post(cell(4))
    await expect(fake.room.flush()).rejects.toMatchObject({ code: 'bad-input', message: 'That cell is not there.' })
    expect(fake.room.self).toMatchObject({ location: cell(3) })
  })

  test('a fake room that loses its connection emits `lost`, and `restored` with the moves that it missed', async () => {
    const clock = manualClock()
    await using fake = await fakeRoom({ clock, others: { ada: { location: cell(1) } } })
    const heard: string[] = []
    for (const kind of ['lost', 'restored'] as const) fake.room.on(kind, () => heard.push(kind))
    await fake.losesConnection()
    expect(fake.room.others).toMatchObject([{ memberId: 'ada', connections: [{ stale: false }] }])
    await clock.advance(5_000)
    expect(fake.room.others).toMatchObject([{ memberId: 'ada', connections: [{ stale: true }] }])
    const moved = fake.moves('ada', cell(2))
    await fake.restoresConnection()
    await moved
    expect(fake.room.others).toMatchObject([{ location: cell(2), connections: [{ stale: false }] }])
    expect(heard).toEqual(['lost', 'restored'])
  })

  test('a fake room that was disconnected resolves each change when it shows the newest one', async () => {
    const { room, ...fake } = await fakeRoom({ others: { ada: {}, bob: {}, cy: {} } })
    await fake.losesConnection()
    const changes = [
      fake.moves('ada', cell(1)),
      fake.moves('ada', cell(2)),
      fake.leaves('bob'),
      fake.enters('bob', { location: cell(3) }),
      fake.moves('cy', cell(4)),
      fake.leaves('cy'),
    ]
    await fake.restoresConnection()
    await Promise.all(changes)
    expect(room.others.map(({ memberId, location }) => [memberId, location])).toEqual([
      ['ada', cell(2)],
      ['bob', cell(3)],
    ])
    await fake.close()
  })

  test('a fake room loses the broadcasts of the time in which it was disconnected, and is degraded after it', async () => {
    await using fake = await fakeRoom<Broadcasting>({ others: { ada: {} } })
    const heard: number[] = []
    fake.room.onBroadcast('wave', ({ payload }) => heard.push(payload))
    await fake.losesConnection()
    await fake.sends('ada', 'wave', 1)
    const degraded = fake.degrades()
    await fake.restoresConnection()
    await degraded
    expect(fake.room.status).toEqual({ state: 'degraded' })
    await fake.recovers()
    await fake.sends('ada', 'wave', 2)
    expect(heard).toEqual([2])
  })

  test('a fake room that is closed resolves what it can no longer show', async () => {
    const fake = await fakeRoom({ others: { ada: {} } })
    const moved = fake.moves('ada', cell(1))
    await fake.close()
    await Promise.all([moved, fake.moves('ada', cell(2)), fake.losesConnection(), fake.enters('bob')])
    expect(fake.room.others).toEqual([])
  })

  test('a fake room is `degraded` until the test calls `recovers`', async () => {
    await using fake = await fakeRoom()
    await fake.degrades()
    expect(fake.room.status).toEqual({ state: 'degraded' })
    await fake.recovers()
    expect(fake.room.status).toEqual({ state: 'live' })
  })

  test('a fake room that is closed has the status `closed` with the reason `left`', async () => {
    const fake = await fakeRoom()
    await fake.close()
    expect(fake.room.status).toMatchObject({ state: 'closed', reason: 'left' })
  })
})
