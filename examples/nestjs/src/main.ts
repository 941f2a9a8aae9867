import { createApp } from './app.js'
import { createLocations } from './locations.js'

// Whoever runs this on their own machine does not want to wait for it to end. In production: 20 seconds, the default.
const app = await createApp(createLocations({ timing: { drainMs: 500 } }))
await app.listen(Number(process.env['PORT'] ?? 3001), '127.0.0.1')
console.log(`A Nest app with locations: ${await app.getUrl()}/trpc  (Ctrl-C ends it)`)
