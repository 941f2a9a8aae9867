import { fileURLToPath } from 'node:url'
import { pointLocation } from 'hereabouts'
import { createLocationServer, drainOnSignals } from 'hereabouts/server/standalone'
import { build } from 'vite'

const page = fileURLToPath(new URL('page', import.meta.url))
await build({ root: page, logLevel: 'error' })

const timing = { drainMs: 500 }
const server = createLocationServer({ location: pointLocation, anonymous: true, static: `${page}/dist`, timing })
const { url } = await server.listen(Number(process.env.PORT ?? 3003))
drainOnSignals(server)
console.log(`Open ${url} in two windows  (Ctrl-C ends it)`)
