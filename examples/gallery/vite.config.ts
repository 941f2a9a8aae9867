import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))

/** The kit comes from its source, so that a change is seen at once. `base` is relative: the docs site has the page in a folder. */
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
