import type { AddressInfo } from 'node:net'
import { drainOnSignals } from 'hereabouts/server/standalone'
import { createApp } from './app.js'

const { app, sheets, texts } = createApp()
const server = app.listen(Number(process.env['PORT'] ?? 3002), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(`An app with locations: http://127.0.0.1:${port}/trpc  (Ctrl-C ends it)`)
})

drainOnSignals({
  hub: { drain: async () => void (await Promise.all([sheets.drain(), texts.drain()])) },
  close: () => new Promise((resolve) => server.close(() => resolve())),
})
