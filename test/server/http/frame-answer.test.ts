import { afterEach, expect, test, vi } from 'vitest'
import { serveLocations } from 'hereabouts/testing'

afterEach(() => void vi.restoreAllMocks())

test('a room is serialized once for each version, however many callers query it with getLocations', async () => {
  await using server = await serveLocations()
  await server.hub.room('r').post({ memberId: 'ada', location: { sheet: 'Q3', row: 1, col: 2 } })
  const url = `${server.url}/getLocations?input=${encodeURIComponent('{"room":"r"}')}`
  const stringify = JSON.stringify.bind(JSON)
  let made = 0
  const count = (value: unknown, ...rest: []) => {
    const text = stringify(value, ...rest)
    if (text?.includes('"snapshot"')) made += 1
    return text
  }
  vi.spyOn(JSON, 'stringify').mockImplementation(count as typeof JSON.stringify)
  const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(url).then((answer) => answer.text())))
  expect(new Set(answers).size).toBe(1)
  expect(answers[0]).toContain('"type":"snapshot"')
  expect(made).toBeLessThanOrEqual(2)
})
