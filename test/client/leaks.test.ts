import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setImmediate as turn } from 'node:timers/promises'
import { fakeRoom } from 'hereabouts/testing'
import { expect, test } from 'vitest'

/** LEAK_CYCLES=10000 for the whole count. */
const cycles = Number(process.env['LEAK_CYCLES'] ?? 300)

setFlagsFromString('--expose_gc')
const collect = runInNewContext('gc') as () => void

test(`${cycles} rooms that were joined and left leave nothing behind`, { timeout: 600_000 }, async () => {
  const cycle = async () => {
    const fake = await fakeRoom({ others: { ada: {} } })
    fake.room.on('moved', () => {})
    fake.room.subscribe(() => {})
    await fake.moves('ada', { sheet: 'Q3', row: 1, col: 1 })
    await fake.close()
    return new WeakRef(fake.room)
  }
  await cycle()
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  const rooms: WeakRef<object>[] = []
  for (let i = 0; i < cycles; i++) rooms.push(await cycle())
  for (let i = 0; i < 10; i++) {
    await turn()
    collect()
  }
  expect(timers()).toBeLessThanOrEqual(before)
  expect(rooms.filter((room) => room.deref()).length).toBeLessThanOrEqual(2)
})
