import { memberProfile, cellLocation, pointLocation, rangeLocation, textLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import * as mini from 'zod/mini'
import { isSynchronous } from '../../../src/server/validation/plain-schema.js'

const odd = z.object({ row: z.int() }).refine(({ row }) => row % 2 === 1, 'must be odd')
const oddLater = z.object({ row: z.int() }).refine(({ row }) => Promise.resolve(row % 2 === 1), 'must be odd')

describe('a schema', () => {
  test.for(Object.entries({ cellLocation, rangeLocation, pointLocation, textLocation, memberProfile }))(
    'of ours never waits: %s',
    ([, schema]) => {
      expect(isSynchronous(schema)).toBe(true)
    },
  )

  test.for([
    ['a refinement', odd],
    ['a refinement that waits', oddLater],
    ['one deep inside', z.object({ at: z.array(z.union([z.null(), oddLater])) })],
    ["one of zod/mini's", mini.string().check(mini.refine(async () => true))],
  ] as const)('with %s may', ([, schema]) => {
    expect(isSynchronous(schema)).toBe(false)
  })
})

test.for([
  ['at once', odd],
  ['after a while', oddLater],
] as const)('what the app refuses %s is refused with its sentence, and the rest is taken', async ([, location]) => {
  const { hub, router } = createLocationServer({ location, anonymous: true })
  const caller = router.createCaller({ headers: new Headers(), ip: '' })
  await expect(caller.postLocation({ room: 'r', location: { row: 2 } })).rejects.toThrow('must be odd')
  await expect(caller.postLocation({ room: 'r', location: { row: 3 } })).resolves.toMatchObject({ outcome: 'applied' })
  await hub.close()
})
