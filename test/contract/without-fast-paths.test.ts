import type { CellLocation, RoomTypesWith } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'
import type { LocationRouter } from 'hereabouts/server/standalone'
import { locationContract, serveLocations } from 'hereabouts/testing'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { cell, stockClient, subscribed } from '../support/clients/stock-client.js'
import { until } from '../support/until.js'
import { cells, fastTiming, features, targetTiming } from './target.js'

/*
 * Each fast path only makes the server faster: when one fast path declines every call, or all of them do, the contract
 * and the clients see no difference.
 */

type FastPath = 'direct post' | 'direct call' | 'gzip'

const fast = vi.hoisted(() => ({
  declining: new Set<string>(),
  /** The number of times that each fast path was used. */
  used: new Map<string, number>(),
  declined: new Map<string, number>(),
  /** Runs a fast path, or declines it. */
  path<T>(name: string, run: () => T, otherwise: T): T {
    const counts = this.declining.has(name) ? this.declined : this.used
    counts.set(name, (counts.get(name) ?? 0) + 1)
    return this.declining.has(name) ? otherwise : run()
  },
}))

vi.mock(import('../../src/server/procedures/direct-post.js'), async (original) => {
  const module = await original()
  return {
    ...module,
    directPostOf: (...given) => fast.path('direct post', () => module.directPostOf(...given), undefined),
  }
})
vi.mock(import('../../src/server/http/direct-call.js'), async (original) => {
  const module = await original()
  return { ...module, plainCall: (...given) => fast.path('direct call', () => module.plainCall(...given), null) }
})
vi.mock(import('../../src/server/http/gzip/content-encoding.js'), async (original) => {
  const module = await original()
  return { ...module, negotiateGzip: (...given) => fast.path('gzip', () => module.negotiateGzip(...given), false) }
})

const all: FastPath[] = ['direct post', 'direct call', 'gzip']
// A call that `direct call` declines reaches neither `direct post` nor `gzip`.
const reached = (declining: FastPath[]) => (declining.includes('direct call') ? ['direct call'] : all)

describe.each<[string, FastPath[]]>([
  ['no fast path declines', []],
  ...all.map((name): [string, FastPath[]] => [`${name} declines`, [name]]),
  ['all fast paths decline', all],
])('when %s', (_title, declining) => {
  const target = { url: '', timing: targetTiming, ...cells }
  let close = async () => {}
  beforeAll(async () => {
    fast.used.clear()
    fast.declined.clear()
    fast.declining = new Set(declining)
    const server = await serveLocations({ timing: fastTiming, compress: true, ...features })
    target.url = server.url
    close = server.close
  })
  afterAll(() => close())

  describe.concurrent('the contract holds', () => {
    for (const { name } of locationContract(target))
      test(
        name,
        (context) =>
          locationContract(target)
            .find((each) => each.name === name)!
            .run(context),
        60_000,
      )
  })

  test('our client and a stock tRPC client see the same room', async () => {
    const client = createLocationClient<LocationRouter<RoomTypesWith<{ location: CellLocation }>>>({ url: target.url })
    const room = client.join('fast-paths', { location: cell(1) })
    using stock = subscribed(stockClient(target.url), { room: 'fast-paths' })
    await Promise.all([room.flush(), room.ready()])
    room.post(cell(7))
    const rows = () => Array.from(stock.view.connections.values(), ({ location }) => location?.row)
    await until('the stock client shows the newest location', () => rows().join() === '7')
    await client.close()
    await until('the stock client shows the leave', () => rows().length === 0)
    expect(stock.diverged).toEqual([])
  })

  test('every fast path that calls reach was used, or declined in each call', () => {
    for (const name of reached(declining)) {
      const counts = declining.includes(name as FastPath) ? fast.declined : fast.used
      expect(counts.get(name), name).toBeGreaterThan(0)
    }
    for (const name of declining) expect(fast.used.get(name), name).toBeUndefined()
  })
})
