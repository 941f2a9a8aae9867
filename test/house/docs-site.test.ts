import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sidebar } from '../../docs/site/.vitepress/navigation.mjs'
import { root } from '../support/snippets.js'

// `npm run docs:build` generates these pages from the doc comments and from CHANGELOG.md.
const written = ['/api/', '/changelog']

test('the sidebar of the documentation site links every page of docs, and no page that does not exist', () => {
  const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !/^(site|node_modules|api|changelog)\b/.test(name) && name !== 'index.md')
    .map((name) => `/${name.replace(/\.md$/, '').replace(/(^|\/)index$/, '$1')}`)
  const linked = sidebar.flatMap(({ items }: { items: { link: string }[] }) => items.map(({ link }) => link))
  expect(linked.filter((link: string) => !written.includes(link)).toSorted()).toEqual(pages.toSorted())
})
