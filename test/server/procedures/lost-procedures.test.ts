import { createServer } from 'node:http'
import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationMiddleware, createLocationRouter } from 'hereabouts/server'
import { createLocationWebSocketHandler } from 'hereabouts/server/websocket'
import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { procedureNames } from '../../../src/server/http/guard/call-owners.js'

/* An app that mounts only a part of the record of `createLocationRouter` gets a warning when it starts. */

const t = initTRPC.create()
const own = { leaveRoom: t.procedure.query(() => 'of the app') }

function stage() {
  const warnings: string[] = []
  const logger = { info() {}, warn: (message: string) => void warnings.push(message), error() {} }
  const features = { broadcasts: { note: z.string() }, locks: true } as const
  const hub = createLocationHub({ location: cellLocation, logger, ...features })
  onTestFinished(() => hub.close())
  const record = createLocationRouter({ hub, procedure: t.procedure, anonymous: true, clientIp: () => undefined })
  return { record, warnings }
}

test('when the middleware is created, a warning names each location procedure that the router lacks or replaces', () => {
  const { record, warnings } = stage()
  const { lockLocation: _lockLocation, ...picked } = record
  const router = t.router({ docs: { locations: { ...picked, ...own } } })
  createLocationMiddleware({ router })
  const advice = expect.stringContaining('router({ locations: createLocationRouter({ ... }) })') as string
  expect(warnings).toEqual([advice, advice])
  expect(warnings.toSorted()).toEqual([
    expect.stringContaining('another procedure at docs.locations.leaveRoom,') as string,
    expect.stringContaining('no procedure at docs.locations.lockLocation,') as string,
  ])
  createLocationMiddleware({ router })
  expect(warnings).toHaveLength(2)
})

test('when the WebSocket handler is created, a warning names each location procedure that the router replaces', async () => {
  const { record, warnings } = stage()
  const server = createServer()
  const handler = createLocationWebSocketHandler({ server, router: t.router({ ...record, ...own }) })
  expect(warnings).toEqual([expect.stringContaining('another procedure at leaveRoom,')])
  await handler.close()
})

test('no warning is logged when all location procedures are mounted, at any path and with any merge of routers', () => {
  const [one, other] = [stage(), stage()]
  createLocationMiddleware({ router: t.router({ ...one.record, hello: t.procedure.query(() => 'hello') }) })
  createLocationMiddleware({ router: t.router({ a: { locations: one.record }, b: other.record }) })
  createLocationMiddleware({ router: t.mergeRouters(t.router({ x: one.record }), t.router({ y: other.record })) })
  createLocationMiddleware({ router: t.router({ hello: t.procedure.query(() => 'hello') }) })
  expect([one.warnings, other.warnings]).toEqual([[], []])
})

test('the list of procedure names by which the request guard recognizes lazy routers is complete', () => {
  expect(Object.keys(stage().record).toSorted()).toEqual(procedureNames.toSorted())
})
