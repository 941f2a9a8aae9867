import { createApp } from './app.js'
import { createLocations } from './locations.js'

// A short drain time for local use. In production, use the default of 20 seconds.
const app = await createApp(createLocations({ timing: { drainMs: 500 } }))
await app.listen(Number(process.env['PORT'] ?? 3001), '127.0.0.1')
console.log(`A Nest app with locations: ${await app.getUrl()}/trpc  (Ctrl-C ends it)`)
