import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const here = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

/** Bundles a page of test/browser with the package's source, as an app does. Returns the folder to serve. */
export async function builtPage(name: string): Promise<AsyncDisposable & { folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), `hereabouts-${name}-`))
  await build({
    configFile: false,
    root: here(`test/browser/${name}`),
    logLevel: 'error',
    resolve: {
      alias: [
        { find: /^hereabouts$/, replacement: here('src/shared/index.ts') },
        { find: /^hereabouts\/client\/websocket$/, replacement: here('src/client/websocket/index.ts') },
        { find: /^hereabouts\/client$/, replacement: here('src/client/index.ts') },
      ],
    },
    build: { outDir: folder, emptyOutDir: true },
  })
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}
