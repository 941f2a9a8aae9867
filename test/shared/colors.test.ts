import fc from 'fast-check'
import { colorOf } from 'hereabouts'
import { expect, test } from 'vitest'

const members = (ids: string[]) => ids.map((memberId) => ({ memberId }))
const distinctIds = (maxLength: number) => fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength })

test('up to sixteen members of a room have different colours', () => {
  fc.assert(
    fc.property(distinctIds(16), (ids) => {
      const room = members(ids)
      expect(new Set(ids.map((id) => colorOf(id, room))).size).toBe(ids.length)
    }),
  )
})

test('the colours of members do not depend on the order of the member list', () => {
  fc.assert(
    fc.property(distinctIds(40), (ids) => {
      const [there, elsewhere] = [members(ids), members([...ids].reverse())]
      for (const id of ids) expect(colorOf(id, there)).toBe(colorOf(id, elsewhere))
    }),
  )
})

/** Successive member lists of a room. A member who stays is the same object, as in a joined room, or a new object. */
const comingAndGoing = fc.array(fc.array(fc.nat(20), { maxLength: 12 }), { maxLength: 30 })
const kinds: [
  kind: string,
  listOf: (ids: string[], known: Map<string, { memberId: string }>) => { memberId: string }[],
][] = [
  [
    'the same objects',
    (ids, known) =>
      ids.map((memberId) => {
        const member = known.get(memberId) ?? { memberId }
        known.set(memberId, member)
        return member
      }),
  ],
  ['new objects', (ids) => members(ids)],
]

test.each(kinds)('each member keeps a unique colour while others come and go, in lists of %s', (_, listOf) => {
  let run = 0
  fc.assert(
    fc.property(comingAndGoing, (steps) => {
      run += 1
      const known = new Map<string, { memberId: string }>()
      let before = new Map<string, string>()
      for (const step of steps) {
        const ids = [...new Set(step.map((member) => `run ${run}, member ${member}`))]
        const room = listOf(ids, known)
        const now = new Map(ids.map((id) => [id, colorOf(id, room)]))
        for (const [id, color] of now) expect(before.get(id) ?? color).toBe(color)
        expect(new Set(now.values()).size).toBe(now.size)
        before = now
      }
    }),
  )
})

test('a member who comes back after a reload has the same colour, even if other members came meanwhile', () => {
  let run = 0
  fc.assert(
    fc.property(distinctIds(14), fc.nat(), (names, at) => {
      // colorOf remembers members of earlier rooms, so each run has members of its own.
      run += 1
      const ids = names.map((name) => `reload ${run}, ${name}`)
      const gone = ids[at % ids.length]!
      const color = colorOf(gone, members(ids))
      const rest = ids.filter((id) => id !== gone)
      for (const newcomer of ['one', 'another']) colorOf('any', members([...rest, `reload ${run}, new: ${newcomer}`]))
      expect(colorOf(gone, members(ids))).toBe(color)
    }),
  )
})

test('colorOf gives a member who left a room the colour that the member had in the room', () => {
  const room = members(['ada', 'bob', 'cy'])
  const color = colorOf('bob', room)
  expect(colorOf('bob', members(['ada', 'cy']))).toBe(color)
  expect(colorOf('bob', members(['ada', 'cy', 'dan']))).toBe(color)
})

test('colorOf with only some members of a room gives their colours in the whole room, and changes no colour there', () => {
  const room = members(Array.from({ length: 60 }, (_, i) => `crowd ${i}`))
  const colors = room.map(({ memberId }) => colorOf(memberId, room))
  for (const member of room) expect(colorOf(member.memberId, [member])).toBe(colors[room.indexOf(member)])
  const next = [...room, { memberId: 'one more' }]
  expect(room.map(({ memberId }) => colorOf(memberId, next))).toEqual(colors)
})

test('two rooms of the same process do not change the colours of each other', () => {
  const rooms = [1, 2].map(() => members(['ada', 'bob', 'cy', 'dan', 'eve']))
  const colors = rooms.map((room) => room.map(({ memberId }) => colorOf(memberId, room)))
  for (const guest of ['fay', 'gus', 'hal', 'ida', 'jo', 'kim']) {
    rooms.forEach((room, i) => {
      rooms[i] = [...room, { memberId: `${guest} ${i}` }]
      colorOf('ada', rooms[i])
    })
  }
  rooms.forEach((room, i) => expect(room.slice(0, 5).map(({ memberId }) => colorOf(memberId, room))).toEqual(colors[i]))
})

test('more than sixteen members share the colours evenly', () => {
  const ids = Array.from({ length: 40 }, (_, i) => `member ${i}`)
  const uses = new Map<string, number>()
  for (const id of ids) uses.set(colorOf(id, members(ids)), (uses.get(colorOf(id, members(ids))) ?? 0) + 1)
  expect(Math.max(...uses.values())).toBe(3)
})

test('every colour has enough contrast with white text, a light page and a dark page', () => {
  const ids = Array.from({ length: 16 }, (_, i) => `member ${i}`)
  for (const id of ids) {
    const color = colorOf(id, members(ids))
    expect(contrast(color, '#ffffff')).toBeGreaterThanOrEqual(4.5)
    expect(contrast(color, '#16181d')).toBeGreaterThanOrEqual(3)
  }
})

// The contrast ratio and the relative luminance as WCAG 2.2 defines them.
function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}
function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = parseInt(color.slice(at, at + 2), 16) / 255
    return channel <= 0.03928 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
