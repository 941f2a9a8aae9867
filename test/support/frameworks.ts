import { join } from 'node:path'
import { compile } from 'svelte/compiler'
import type { Plugin } from 'vite'
import { root } from './snippets.js'

/** The builds for browsers. Vitest resolves packages as Node does, also for tests that run in jsdom. */
const browserBuilds: Record<string, string> = {
  svelte: 'svelte/src/index-client.js',
  'svelte/reactivity': 'svelte/src/reactivity/index-client.js',
  'svelte/store': 'svelte/src/store/index-client.js',
  'solid-js': 'solid-js/dist/solid.js',
  'solid-js/web': 'solid-js/web/dist/web.js',
}

/**
 * Resolves Svelte and Solid to their browser builds in jsdom tests, and to their server builds in other tests. Compiles
 * .svelte files of tests and examples for the same target; the package itself has none.
 */
export const frameworks = (): Plugin => ({
  name: 'frameworks',
  enforce: 'pre',
  resolveId(source) {
    const build = this.environment.name === 'client' && browserBuilds[source]
    return build ? join(root, 'node_modules', build) : null
  },
  transform(code, filename) {
    if (!filename.endsWith('.svelte')) return null
    const { js } = compile(code, { filename, generate: this.environment.name === 'client' ? 'client' : 'server' })
    return { code: js.code, map: js.map }
  },
})
