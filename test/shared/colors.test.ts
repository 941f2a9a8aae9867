import fc from 'fast-check'
import { colorOf } from 'hereabouts'
import { expect, test } from 'vitest'

const members = (ids: string[]) => ids.map((memberId) => ({ memberId }))
const distinctIds = (maxLength: number) => fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength })

test('up to sixteen members have different colours', () => {
  fc.assert(
    fc.property(distinctIds(16), (ids) => {
      const room = members(ids)
      expect(new Set(ids.map((id) => colorOf(id, room))).size).toBe(ids.length)
    }),
  )
})

test('the colours do not depend on the order of the members', () => {
  fc.assert(
    fc.property(distinctIds(40), (ids) => {
      const [there, elsewhere] = [members(ids), members([...ids].reverse())]
      for (const id of ids) expect(colorOf(id, there)).toBe(colorOf(id, elsewhere))
    }),
  )
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

// WCAG 2.2, relative luminance and contrast ratio.
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
