import { cellLocation } from 'hereabouts'
import { createLocationServer, drainOnSignals } from 'hereabouts/server/standalone'

const timing = { drainMs: 500 }
const server = createLocationServer({ location: cellLocation, anonymous: true, static: 'dist', timing })
const { url } = await server.listen(Number(process.env.PORT ?? 3004))
drainOnSignals(server)
console.log(`Open ${['svelte', 'vue', 'solid'].map((name) => `${url}/${name}.html`).join('  ')}  (Ctrl-C ends it)`)
