import { expect, test } from 'vitest'
import { roomId } from './sim-node.js'
import { simulate } from './world.js'

/* What makes the simulation worth believing. The runs themselves are in part-*.test.ts. */

test('a node that differs from the store when a run ends is reported', async () => {
  const { wrongs } = await simulate(1, async ([node]) => {
    await node!.hub.use(roomId, ({ timeline }) => {
      const { epoch, version } = timeline
      timeline.apply({ epoch, prev: version, version: version + 1, entered: [], changed: [], left: [] })
    })
  })
  expect(wrongs).toEqual([expect.stringContaining('a node is at ')])
  expect((await simulate(1)).wrongs).toEqual([])
})

test('a seed repeats its run', async () => {
  for (const seed of [2, 3]) expect(await simulate(seed)).toEqual(await simulate(seed))
})

test('a few seeds contain grants, saves that are refused, claims, take-overs and broadcasts', async () => {
  const sums = { grants: 0, saves: 0, refusedSaves: 0, claims: 0, takeOvers: 0, said: 0, taken: 0, heard: 0 }
  for (let seed = 1; seed <= 40; seed++) {
    const { counts } = await simulate(seed)
    for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += counts[name]
  }
  for (const [name, sum] of Object.entries(sums)) expect(sum, name).toBeGreaterThan(0)
})
