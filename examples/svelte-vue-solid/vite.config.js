import { svelte } from '@sveltejs/vite-plugin-svelte'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'
import solid from 'vite-plugin-solid'

export default defineConfig({
  plugins: [svelte(), vue(), solid()],
  build: { assetsInlineLimit: 0, rolldownOptions: { input: ['svelte.html', 'vue.html', 'solid.html'] } },
})
