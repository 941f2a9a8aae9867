import { createServer } from 'node:http'
import { initTRPC } from '@trpc/server'
import { createLocationWebSocketHandler } from 'hereabouts/server/websocket'
import { serveLocations } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { rawSocket } from '../../support/clients/raw-socket.js'
import { listening } from '../../support/network/listening.js'
import { raw } from '../../support/network/raw.js'
import { until } from '../../support/until.js'

/** Resolves to `open`, or to the HTTP status that refuses the upgrade. */
async function upgrade(url: string): Promise<number | 'open'> {
  using socket = rawSocket(url)
  await until('the upgrade is answered', () => socket.refused !== null || socket.ws.readyState === socket.ws.OPEN)
  return socket.refused ?? 'open'
}

test('a WebSocket opens at /trpc with a slash at its end, as HTTP calls do', async () => {
  await using server = await serveLocations({ webSocket: true })
  const query = `getLocations?input=${encodeURIComponent('{"room":"r"}')}`
  expect((await raw(`${server.url}/${query}`)).status).toBe(200)
  for (const end of ['', '/', '?connectionParams=0', '/?x=1']) expect(await upgrade(`${server.url}${end}`)).toBe('open')
  for (const end of ['x', '//', '/postLocation']) expect(await upgrade(`${server.url}${end}`)).toBe(404)
})

test.each(['/', '/live', '/live/'])('a handler at the path %s takes it with and without the slash', async (path) => {
  const server = createServer()
  const handler = createLocationWebSocketHandler({ server, router: initTRPC.create().router({}), path })
  await using at = await listening(server)
  const { origin } = new URL(at.url)
  const bare = path === '/' ? '' : '/live'
  expect(await upgrade(`${origin}${bare}`)).toBe('open')
  expect(await upgrade(`${origin}${bare}/`)).toBe('open')
  expect(await upgrade(`${origin}/trpc`)).toBe(404)
  await handler.close()
})
