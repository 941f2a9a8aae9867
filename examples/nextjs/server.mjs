// @ts-check
// Serves Next's pages and the rooms in one process at one address.
import { createServer } from 'node:http'
import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import {
  createRequestGuard,
  createLocationHub,
  createLocationMiddleware,
  createLocationRouter,
} from 'hereabouts/server'
import { drainOnSignals } from 'hereabouts/server/standalone'
import next from 'next'

const dev = process.argv.includes('--dev')
const port = Number(process.env.PORT ?? 3005)

const hub = createLocationHub({ location: cellLocation, timing: { drainMs: 500 } })
const t = initTRPC.create()
export const appRouter = t.router({
  locations: createLocationRouter({ hub, procedure: t.procedure, anonymous: true }),
})
const caller = appRouter.createCaller({})
/** @typedef {typeof appRouter} AppRouter */

// Stored in a global for the pages (app/locations.ts), which Next bundles separately from this file.
Object.assign(globalThis, { locations: caller.locations })

const app = next({ dev, hostname: '127.0.0.1', port })
await app.prepare()
const page = app.getRequestHandler()
const requestGuard = createRequestGuard()
const trpc = createLocationMiddleware({ router: appRouter })

const server = createServer((req, res) => {
  if (!req.url?.startsWith('/trpc/')) return void page(req, res)
  req.url = req.url.slice('/trpc'.length)
  requestGuard(req, res, () => trpc(req, res))
})
server.listen(port, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`Open http://127.0.0.1:${port} in two windows  (Ctrl-C ends it)`)
})
drainOnSignals({
  hub,
  async close() {
    server.closeAllConnections()
    await app.close()
  },
})
