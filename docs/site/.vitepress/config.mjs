import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'
import manifest from '../../../package.json' with { type: 'json' }
import { apiSidebar, sidebar } from './navigation.mjs'

const docs = fileURLToPath(new URL('../../', import.meta.url))
const root = resolve(docs, '..')
const repository = manifest.repository.url.replace(/^git\+/, '').replace(/\.git$/, '')

/**
 * Makes links from a page of docs/ to files outside of docs/ point to the repository. A link to a file that does not exist
 * fails the build: VitePress checks the links inside docs/ only.
 */
function linksToTheRepository(markdown) {
  const render =
    markdown.renderer.rules.link_open ?? ((tokens, i, options, env, self) => self.renderToken(tokens, i, options))
  markdown.core.ruler.push('links-to-the-repository', ({ tokens, env }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === 'link_open' ? token.attrGet('href') : null
      if (!href || /^([a-z]+:|#|\/)/i.test(href) || !env.path) continue
      const [path, anchor] = href.split('#')
      const target = resolve(dirname(env.path), decodeURIComponent(path))
      if (target === docs.slice(0, -1) || target.startsWith(docs)) continue
      if (!existsSync(target)) throw new Error(`${relative(root, env.path)} links to ${href}, which does not exist`)
      token.attrSet('href', `${repository}/blob/main/${relative(root, target)}${anchor ? `#${anchor}` : ''}`)
    }
  })
  markdown.renderer.rules.link_open = render
}

/** Shows the file name of a snippet, as in "```ts server.ts", above it. */
function fileNamesOfSnippets(markdown) {
  markdown.core.ruler.push('file-names-of-snippets', ({ tokens }) => {
    for (const token of tokens) {
      if (token.type !== 'fence') continue
      const [language, name] = token.info.trim().split(/\s+/)
      if (name && /\.\w+$/.test(name)) token.info = `${language} [${name}]`
      else if (name && !name.startsWith('[')) token.info = language
    }
  })
}

export default defineConfig({
  title: 'Hereabouts',
  description: manifest.description,
  lang: 'en',
  // A site under a path, as on GitHub Pages, is built with BASE=/path/.
  base: process.env.BASE ?? '/',
  srcDir: '..',
  srcExclude: ['site/**', 'contract/**'],
  outDir: './dist',
  cacheDir: './.cache',
  cleanUrls: true,
  lastUpdated: false,
  vite: { publicDir: join(docs, 'site/public') },
  head: [['link', { rel: 'icon', href: `${process.env.BASE ?? '/'}icon.svg`, type: 'image/svg+xml' }]],
  markdown: {
    config(markdown) {
      markdown.use(linksToTheRepository)
      markdown.use(fileNamesOfSnippets)
    },
  },
  themeConfig: {
    logo: '/icon.svg',
    search: { provider: 'local' },
    nav: [
      { text: 'Start', link: '/start/', activeMatch: '^/start/' },
      { text: 'Guides', link: '/recipes', activeMatch: '^/(features|recipes|concepts)' },
      { text: 'Reference', link: '/api/', activeMatch: '^/(api|PROTOCOL)' },
      // A page of its own, which the router of VitePress leaves alone.
      { text: 'Gallery', link: '/gallery/index.html', target: '_self' },
      { text: manifest.version, link: '/changelog' },
    ],
    sidebar: { '/api/': apiSidebar(docs), '/': sidebar },
    outline: [2, 3],
    socialLinks: [{ icon: 'github', link: repository }],
    editLink: { pattern: `${repository}/edit/main/docs/:path`, text: 'Edit this page' },
    footer: { message: 'Released under the MIT License.' },
  },
})
