import { expect, test, vi } from 'vitest'
import { roomId } from './sim-node.js'
import { simulate } from './world.js'

// A run takes a tenth of a second, and seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

/* What makes the simulation worth believing. The runs themselves are in part-*.test.ts. */

test('a node that differs from the store when a run ends is reported', async () => {
  const { wrongs } = await simulate(1, ([node]) => {
    void node!.hub.use(roomId, ({ timeline }) => {
      const { epoch, version } = timeline
      timeline.apply({ epoch, prev: version, version: version + 1, entered: [], changed: [], left: [] })
    })
  })
  expect(wrongs).toEqual([expect.stringContaining('a node is at ')])
  expect((await simulate(1)).wrongs).toEqual([])
})

test('a seed repeats its run', async () => {
  expect(await simulate(2)).toEqual(await simulate(2))
})
