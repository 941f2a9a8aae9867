import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))

/**
 * The kit is imported from its source, so that a change is seen at once. `base` is relative, because the docs site
 * serves this page from a folder.
 */
export default defineConfig({
  base: './',
  plugins: [react()],
  resolve: {
    alias: [
      { find: 'hereabouts/react/ui.css', replacement: source('react/ui/ui.css') },
      { find: 'hereabouts/react/ui', replacement: source('react/ui/index.ts') },
    ],
  },
})
