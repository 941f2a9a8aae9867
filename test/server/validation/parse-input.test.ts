import { memberProfile, cellLocation, pointLocation, rangeLocation, textLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import * as mini from 'zod/mini'
import { isSynchronous } from '../../../src/server/validation/plain-schema.js'

const odd = z.object({ row: z.int() }).refine(({ row }) => row % 2 === 1, 'must be odd')
const oddLater = z.object({ row: z.int() }).refine(({ row }) => Promise.resolve(row % 2 === 1), 'must be odd')

describe('isSynchronous', () => {
  test.for(Object.entries({ cellLocation, rangeLocation, pointLocation, textLocation, memberProfile }))(
    'isSynchronous is true for the ready-made schema %s',
    ([, schema]) => {
      expect(isSynchronous(schema)).toBe(true)
    },
  )

  test.for([
    ['a refinement', odd],
    ['an asynchronous refinement', oddLater],
    ['an asynchronous refinement deep inside', z.object({ at: z.array(z.union([z.null(), oddLater])) })],
    ['a refinement of zod/mini', mini.string().check(mini.refine(async () => true))],
  ] as const)('isSynchronous is false for a schema with %s', ([, schema]) => {
    expect(isSynchronous(schema)).toBe(false)
  })
})

test.for([
  ['synchronously', odd],
  ['asynchronously', oddLater],
] as const)(
  'a location that a refinement of the app refuses %s is answered with the message of the refinement',
  async ([, location]) => {
    const { hub, router } = createLocationServer({ location, anonymous: true })
    const caller = router.createCaller({ headers: new Headers(), ip: '' })
    await expect(caller.postLocation({ room: 'r', location: { row: 2 } })).rejects.toThrow('must be odd')
    await expect(caller.postLocation({ room: 'r', location: { row: 3 } })).resolves.toMatchObject({
      outcome: 'applied',
    })
    await hub.close()
  },
)
