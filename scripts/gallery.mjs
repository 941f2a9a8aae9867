// npm run gallery: serves a page with every component of hereabouts/react/ui in every state, with live reload.
// `npm run gallery build <folder>` writes the page to a folder.
import { fileURLToPath } from 'node:url'
import { build, createServer } from 'vite'

const root = fileURLToPath(new URL('../examples/gallery', import.meta.url))
const [command, outDir = fileURLToPath(new URL('../examples/gallery/dist', import.meta.url))] = process.argv.slice(2)

if (command === 'build') await build({ root, logLevel: 'warn', build: { outDir, emptyOutDir: true } })
else {
  const server = await createServer({ root, server: { open: false } })
  await server.listen()
  server.printUrls()
}
