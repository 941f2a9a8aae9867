import { compile } from 'svelte/compiler'
import type { Plugin } from 'vite'

/** Compiles .svelte files for the tests, for the browser or for a server. The package itself has none. */
export const svelteFiles = (): Plugin => ({
  name: 'svelte-files',
  transform(code, filename) {
    if (!filename.endsWith('.svelte')) return null
    const { js } = compile(code, { filename, generate: this.environment.name === 'client' ? 'client' : 'server' })
    return { code: js.code, map: js.map }
  },
})
