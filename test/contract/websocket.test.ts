import { locationContract, serveLocations, type ContractTarget } from 'hereabouts/testing'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { WebSocket } from 'ws'
import { Ends } from '../support/ends.js'
import { nginxBefore, skipWithoutNginx } from '../support/network/nginx.js'
import { sharedNodes } from '../support/redis/nodes.js'
import { redisServer, skipWithoutRedis } from '../support/redis/redis-server.js'
import { cells, fastTiming, features, sharedBroadcasts, targetTiming } from './target.js'

/* The contract of PROTOCOL.md over WebSockets: the calls and streams of a case alternate between two sockets. */

function cases(target: ContractTarget, start: (ends: Ends) => Promise<string>) {
  const ends = new Ends()
  let url = ''
  beforeAll(async () => {
    url = (await start(ends)).replace('http', 'ws')
  })
  afterAll(() => ends.end())
  const overSocket = { ...target, webSocket: () => new WebSocket(url) }
  for (const { name, run } of locationContract(overSocket)) test(name, (context) => run(context), 60_000)
}

describe.concurrent('over WebSockets, a server with rooms in memory', () => {
  cases({ url: '', timing: targetTiming, ...cells }, async (ends) => {
    const server = await serveLocations({ timing: fastTiming, ...features, webSocket: true })
    ends.use({ [Symbol.asyncDispose]: () => server.close() })
    return server.url
  })
})

describe
  .skipIf(skipWithoutRedis || skipWithoutNginx)
  .concurrent('over WebSockets, two servers with rooms in Redis behind nginx', () => {
    // The timing is slower than usual: both servers and all the clients run in one process.
    const timing = { ...fastTiming, scale: 1 / 10 }
    const slower = { ...targetTiming, leaseMaxMs: 30_000, closedMs: 1_500 }
    cases({ url: '', timing: slower, ...cells, broadcasts: sharedBroadcasts }, async (ends) => {
      const redis = ends.use(await redisServer())
      const nodes = await sharedNodes(redis.url, 2, { timing, ...features, webSocket: true })
      for (const node of nodes) ends.use(node)
      return ends.use(await nginxBefore(nodes)).url
    })
  })
