import type { CellLocation, RoomTypesWith } from 'hereabouts'
import { fakeRoom } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { recordCollections } from '../support/collections.js'

type Types = RoomTypesWith<{
  location: CellLocation
  presence: { typing?: boolean; n?: number }
  broadcasts: { wave: { emoji: string } }
  locks: true
}>

const cell = (row: number): CellLocation => ({ sheet: 'Q3', row, col: 0 })
const fake = () => fakeRoom<Types>({ others: { ada: { location: cell(1) } } })

describe('our own state in a fake room', () => {
  test('a post of ours keeps our lock, profile, activity and presence value', async () => {
    await using room = await fake()
    const lock = (await room.room.lock(cell(1)))!
    room.room.update({ profile: { name: 'Me' }, activity: 'idle' })
    room.room.setPresence({ typing: true })
    await room.room.flush()
    room.room.post(cell(2))
    await room.room.flush()
    expect(lock.signal.aborted).toBe(false)
    expect(room.room.lockedBy(cell(1))?.memberId).toBe('me')
    // The server still knows our lock, too: it refuses the place to others.
    await room.locks('ada', cell(1))
    expect(room.room.lockedBy(cell(1))?.memberId).toBe('me')
    expect(room.room.self).toMatchObject({
      profile: { name: 'Me' },
      activity: 'idle',
      presence: { typing: true },
      location: cell(2),
    })
    room.room.update({ profile: null })
    await room.room.flush()
    expect(room.room.self!.profile).toBe(null)
  })

  test('our lock is taken for others until it is released, whatever the order of keys', async () => {
    await using room = await fake()
    const lock = (await room.room.lock(cell(1)))!
    await room.locks('ada', { col: 0, row: 1, sheet: 'Q3' })
    expect(room.room.lockedBy(cell(1))?.memberId).toBe('me')
    await lock.release()
    expect(room.room.lockedBy(cell(1))).toBe(null)
    await room.locks('ada', cell(1))
    expect(await room.room.lock(cell(1))).toBe(null)
    await room.moves('ada', cell(3))
    await room.unlocks('ada', cell(2))
    expect(room.room.lockedBy(cell(1))?.memberId).toBe('ada')
    await room.unlocks('ada', cell(1))
    expect(await room.room.lock(cell(1))).not.toBe(null)
  })

  test('the posts of a fake room are copies, and say what was posted only', async () => {
    await using room = await fake()
    room.room.setPresence({ n: 1 })
    await room.room.flush()
    expect(room.posts).toEqual([{ location: null }, { location: null, presence: { n: 1 } }])
  })
})

describe('the others in a fake room', () => {
  test('each change of another member keeps the rest of the member', async () => {
    await using room = await fake()
    await room.setsPresence('ada', { typing: true, n: 1 })
    await room.updates('ada', { activity: 'away', profile: { name: 'Ada' } })
    await room.moves('ada', cell(5))
    await room.locks('ada', cell(5))
    await room.setsPresence('ada', { n: 2 })
    expect(room.room.other('ada')).toMatchObject({
      location: cell(5),
      activity: 'away',
      profile: { name: 'Ada' },
      presence: { n: 2 },
    })
    expect(room.room.other('ada')!.presence).toEqual({ n: 2 })
    expect(room.room.lockedBy(cell(5))?.memberId).toBe('ada')
  })

  test('another member who leaves twice leaves once', async () => {
    await using room = await fake()
    const reasons: string[] = []
    room.room.on('left', ({ reason }) => reasons.push(reason))
    await room.leaves('ada', 'revoked')
    await room.leaves('ada')
    expect(reasons).toEqual(['revoked'])
  })

  test('an object that a test changes later does not change the room', async () => {
    await using room = await fake()
    const place = cell(7)
    await room.moves('ada', place)
    place.row = 8
    await room.enters('bob')
    expect(room.room.other('ada')!.location).toEqual(cell(7))
    const payload = { emoji: 'a' }
    const heard: unknown[] = []
    room.room.onBroadcast('wave', (event) => heard.push(event.payload))
    await room.sends('ada', 'wave', payload)
    await room.sends('ada', 'wave', payload)
    expect(heard).toEqual([{ emoji: 'a' }, { emoji: 'a' }])
  })
})

test('a fake room refuses posts until it accepts them again', async () => {
  await using room = await fake()
  room.refusesPosts('No.')
  room.room.post(cell(1))
  await expect(room.room.flush()).rejects.toMatchObject({ code: 'bad-input', message: 'No.' })
  room.refusesPosts(null)
  room.room.post(cell(2))
  await room.room.flush()
  expect(room.room.self?.location).toEqual(cell(2))
})

test('a fake room may lose and restore its connection again and again, and remembers one stream', async () => {
  const recorded = recordCollections()
  await using room = await fake()
  for (let i = 0; i < 12; i++) {
    await room.losesConnection()
    expect(room.room.status.state).not.toBe('live')
    await room.restoresConnection()
    await room.moves('ada', cell(i))
  }
  recorded.stop()
  expect(room.room.other('ada')?.location).toEqual(cell(11))
  expect(recorded.largest()).toBeLessThan(12)
})

test('a fake room with options has that id, member, profile and location', async () => {
  await using room = await fakeRoom<Types>({
    room: 'own',
    memberId: 'grace',
    profile: { name: 'Grace' },
    location: cell(3),
  })
  expect(room.room.id).toBe('own')
  expect(room.room.self).toMatchObject({ memberId: 'grace', profile: { name: 'Grace' }, location: cell(3) })
})
