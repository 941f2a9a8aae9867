import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { initTRPC } from '@trpc/server'
import express from 'express'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationMiddleware, createLocationRouter } from 'hereabouts/server'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../../support/until.js'

/* Checks an app's own middlewares around ours: they may answer first or throw late. */

const t = initTRPC.create()
const input = encodeURIComponent(JSON.stringify({ room: 'r' }))

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const post = (url: string) =>
  fetch(`${url}/postLocation`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"room":"r","location":null}',
  })

test('when another middleware has already answered a request, its answer is sent and the process does not crash', async () => {
  const hub = createLocationHub({ location: cellLocation })
  let asked = () => {}
  let release = () => {}
  const wasAsked = new Promise<void>((resolve) => (asked = resolve))
  const held = new Promise<void>((resolve) => (release = resolve))
  const authorize = async () => {
    asked()
    await held
    return true
  }
  const access = { identify: () => ({ memberId: 'ada' }), authorize }
  const router = t.router(createLocationRouter({ hub, procedure: t.procedure, ...access }))
  const app = express()
  const middleware = createLocationMiddleware({ router })
  app.use((request, response) => {
    middleware(request, response)
    void wasAsked.then(() => response.status(503).end('too slow'))
  })
  const url = await serve(app)
  expect((await post(url)).status).toBe(503)
  expect((await fetch(`${url}/onLocation?input=${input}`)).status).toBe(503)
  release()
  await until('the member is there', async () => (await hub.room('r').count()) === 1)
  await until('the stream is closed', () => (hub as unknown as { streams: { size: number } }).streams.size === 0)
})

test('when a middleware throws after a stream was opened, the stream is closed', async () => {
  const hub = createLocationHub({ location: cellLocation })
  const procedure = t.procedure.use(async ({ next }) => {
    await next()
    throw new Error('too late')
  })
  const router = t.router(createLocationRouter({ hub, procedure, anonymous: true }))
  const middleware = createLocationMiddleware({ router })
  const url = await serve((request, response) => middleware(request, response))
  const text = await (await fetch(`${url}/onLocation?input=${input}`)).text()
  expect(text).toContain('serialized-error')
  expect((hub as unknown as { streams: { size: number } }).streams.size).toBe(0)
})
