import { locationContract, serveLocations } from 'hereabouts/testing'
import { afterAll, describe, test } from 'vitest'
import { cells, fastTiming, presence, targetTiming } from './target.js'

/* The contract of PROTOCOL.md, for our server with rooms in memory. */

const server = await serveLocations({ timing: fastTiming, presence })
afterAll(() => server.close())

describe.concurrent('a server with rooms in memory', () => {
  const target = { url: server.url, timing: targetTiming, ...cells }
  for (const { name, run } of locationContract(target)) test(name, (context) => run(context), 60_000)
})
