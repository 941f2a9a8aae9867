import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import express from 'express'
import fastify from 'fastify'
import { initTRPC } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import { fastifyTRPCPlugin } from '@trpc/server/adapters/fastify'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { applyWSSHandler } from '@trpc/server/adapters/ws'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { locationContract, type ContractTarget } from 'hereabouts/testing'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { Ends } from '../support/ends.js'
import { cells, fastTiming, presence, targetTiming } from './target.js'

/* The contract of PROTOCOL.md behind each of tRPC's own adapters, which pull frames from an async iterable. */

function appOf() {
  const t = initTRPC.create({ isDev: false })
  const hub = createLocationHub({ location: cellLocation, presence, timing: fastTiming })
  const locations = createLocationRouter({ hub, procedure: t.procedure, anonymous: true })
  return { hub, router: t.router({ locations }) }
}
type Router = ReturnType<typeof appOf>['router']

/** Starts a server with the router, and returns the URL of its procedures. */
type Start = (router: Router, ends: Ends) => Promise<string>

async function listening(
  listener: RequestListener | undefined,
  ends: Ends,
  prepare?: (server: Server) => void,
): Promise<string> {
  const server = createServer(listener)
  prepare?.(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.use({
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/trpc`
}

const adapters: Record<string, Start> = {
  express: (router, ends) => listening(express().use('/trpc', createExpressMiddleware({ router })), ends),
  standalone: (router, ends) => listening(createHTTPHandler({ router, basePath: '/trpc/' }), ends),
  fetch: (router, ends) =>
    listening((request, response) => {
      const closing = new AbortController()
      response.on('close', () => closing.abort())
      const answered = fetchRequestHandler({ endpoint: '/trpc', req: requestOf(request, closing.signal), router })
      answered.then((answer) => send(answer, response)).catch(() => response.destroy())
    }, ends),
  async fastify(router, ends) {
    const app = fastify({ routerOptions: { maxParamLength: 5_000 }, forceCloseConnections: true })
    app.register(fastifyTRPCPlugin, { prefix: '/trpc', trpcOptions: { router } })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    ends.use({ [Symbol.asyncDispose]: () => app.close() })
    return `${url}/trpc`
  },
}

function requestOf(request: IncomingMessage, signal: AbortSignal) {
  const { url = '', method = 'GET', headers } = request
  const init = { method, headers: headers as Record<string, string>, signal }
  const body = method === 'POST' ? { body: Readable.toWeb(request), duplex: 'half' } : {}
  return new Request(`http://127.0.0.1${url}`, { ...init, ...body } as RequestInit)
}

function send({ status, headers, body }: Response, response: ServerResponse): void {
  response.writeHead(status, Object.fromEntries(headers))
  response.flushHeaders()
  if (!body) return void response.end()
  const stream = Readable.fromWeb(body as never)
  stream.on('error', () => response.destroy())
  response.on('close', () => stream.destroy())
  stream.pipe(response)
}

function cases(start: Start, more: (url: string) => Partial<ContractTarget> = () => ({})) {
  const ends = new Ends()
  const target: ContractTarget = { url: '', path: 'locations', timing: targetTiming, ...cells }
  beforeAll(async () => {
    const { hub, router } = appOf()
    ends.use({ [Symbol.asyncDispose]: () => hub.close() })
    target.url = await start(router, ends)
    Object.assign(target, more(target.url))
  })
  afterAll(() => ends.end())
  for (const { name } of locationContract(target))
    test(
      name,
      (context) =>
        locationContract(target)
          .find((each) => each.name === name)!
          .run(context),
      60_000,
    )
}

describe.concurrent.each(Object.entries(adapters))('behind tRPC`s adapter for %s', (_name, start) => {
  cases(start)
})

describe.concurrent('behind tRPC`s adapter for ws', () => {
  const start: Start = (router, ends) =>
    listening(undefined, ends, (server) => {
      const wss = new WebSocketServer({ server })
      applyWSSHandler({ wss, router })
      ends.use({
        async [Symbol.asyncDispose]() {
          for (const ws of wss.clients) ws.terminate()
        },
      })
    })
  cases(start, (url) => ({ webSocket: () => new WebSocket(url.replace('http', 'ws')) }))
})
