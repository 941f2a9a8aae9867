import { createServer, type ViteDevServer } from 'vite'
import type { AddressInfo } from 'node:net'
import { cellLocation } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'
import { createLocationServer, type LocationServer } from 'hereabouts/server/standalone'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CellTypes } from '../../support/cell-types.js'
import { tcpProxy, type TcpProxy } from '../../support/network/tcp-proxy.js'
import { root } from '../../support/snippets.js'
import { until } from '../../support/until.js'

/* Vite's development proxy keeps the stream of a server that was killed open, and answers requests with 500. */

let server: LocationServer<CellTypes>
let line: TcpProxy
let vite: ViteDevServer
beforeAll(async () => {
  server = createLocationServer({ location: cellLocation, anonymous: true })
  const { url } = await server.listen(0)
  line = await tcpProxy(Number(new URL(url).port))
  vite = await createServer({
    configFile: false,
    logLevel: 'silent',
    root: `${root}/test/fixtures`,
    optimizeDeps: { noDiscovery: true },
    server: { port: 0, host: '127.0.0.1', ws: false, proxy: { '/trpc': `http://127.0.0.1:${line.port}` } },
  })
  await vite.listen()
})
afterAll(async () => {
  await vite.close()
  await line[Symbol.asyncDispose]()
  await server.close()
})

test('behind a development proxy, our client notices a killed server by its next post, and its return within seconds', async () => {
  const { port } = vite.httpServer!.address() as AddressInfo
  const client = createLocationClient<typeof server.router>({ url: `http://127.0.0.1:${port}/trpc` })
  const room = client.join('r')
  await until('the room is live', () => room.status.state === 'live')
  await room.flush()
  line.cut(true)
  room.post({ sheet: 'Q3', row: 4, col: 2 })
  await until('the room is not live', () => room.status.state !== 'live', 5_000)
  line.thaw()
  await until('the room is live again', () => room.status.state === 'live', 3_000)
  await room.flush()
  expect(room.status).toEqual({ state: 'live' })
  await client.close()
})
