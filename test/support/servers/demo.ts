import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { createSheetServer } from '../../../examples/spreadsheet/server.mjs'

const here = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

export interface Demo {
  url: string
  server: ReturnType<typeof createSheetServer>
  close(): Promise<void>
}

/** Builds the spreadsheet demo with the package's source, so that dist is not needed, and serves it. */
export async function serveDemo(): Promise<Demo> {
  const folder = await mkdtemp(join(tmpdir(), 'hereabouts-demo-'))
  await build({
    configFile: here('examples/spreadsheet/vite.config.ts'),
    logLevel: 'error',
    resolve: {
      alias: [
        { find: /^hereabouts$/, replacement: here('src/shared/index.ts') },
        { find: 'hereabouts/react/ui.css', replacement: here('src/react/ui/ui.css') },
        { find: 'hereabouts/react/ui', replacement: here('src/react/ui/index.ts') },
        { find: /^hereabouts\/(client|react)$/, replacement: here('src/$1/index.ts') },
      ],
    },
    build: { outDir: folder, emptyOutDir: true },
  })
  const server = createSheetServer(folder)
  const { url } = await server.listen(0)
  return {
    url,
    server,
    async close() {
      await server.close()
      await rm(folder, { recursive: true })
    },
  }
}
