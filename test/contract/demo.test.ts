import { locationContract } from 'hereabouts/testing'
import { afterAll, describe, test } from 'vitest'
import { createSheetServer } from '../../examples/spreadsheet/server.mjs'
import { cells, fastTiming, targetTiming } from './target.js'

/* The protocol contract for the demo's server, whose locations are cells and cell ranges. */

const server = createSheetServer('.', fastTiming)
const { trpcUrl } = await server.listen(0)
afterAll(() => server.close())

describe.concurrent("the demo's server", () => {
  const { row, col } = { row: 4, col: 2 }
  const ranges = {
    location: (n: number) => (n % 2 ? cells.location(n) : { sheet: 'Q3', from: { row, col }, to: { row: n, col } }),
    badLocation: { sheet: 'Q3', from: { row, col } },
    profile: (n: number) => ({ ...cells.profile(n), bot: n % 2 === 0 }),
    presence: (n: number) => ({ pointer: { x: n, y: n }, ...(n % 2 === 0 && { typing: true }) }),
  }
  for (const { name, run } of locationContract({ url: trpcUrl, timing: targetTiming, ...ranges }))
    test(name, (context) => run(context), 30_000)
})
