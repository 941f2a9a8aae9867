import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const page = (text, link) => ({ text, link })

/** The pages of the site in reading order. `test/house/docs-site.test.ts` compares them with the files of docs/. */
export const sidebar = [
  {
    text: 'Start',
    items: [
      page('In five minutes', '/start/'),
      page('In an existing tRPC app', '/start/existing-app'),
      page('Next.js', '/start/nextjs'),
      page('NestJS', '/start/nestjs'),
      page('The demo', '/start/demo'),
    ],
  },
  {
    text: 'Concepts',
    items: [page('Rooms, members, locations', '/concepts'), page('Errors and offline', '/errors-and-offline')],
  },
  {
    text: 'Build',
    items: [
      page('Recipes', '/recipes'),
      page('React', '/react'),
      page('UI kit', '/ui-kit'),
      page('Presence values', '/presence'),
      page('Vue, Svelte, Solid', '/frameworks'),
      page('Reactions and broadcasts', '/broadcasts'),
      page('Counts and agents', '/counts-and-agents'),
      page('One editor at a time', '/locks'),
      page('Testing', '/testing'),
      page('Accessibility', '/accessibility'),
    ],
  },
  {
    text: 'Run',
    items: [
      page('Identify and authorize', '/identify-and-authorize'),
      page('Deploying', '/deploying'),
      page('SSE or WebSocket', '/websocket'),
      page('Operating', '/operating'),
      page('Security', '/security'),
      page('Privacy', '/privacy'),
      page('Performance', '/PERFORMANCE'),
      page('Troubleshooting and FAQ', '/troubleshooting'),
    ],
  },
  {
    text: 'Choose',
    items: [page('Compare', '/compare'), page('Migrate', '/migrate')],
  },
  {
    text: 'Reference',
    items: [
      page('API', '/api/'),
      page('Command line', '/cli'),
      page('Protocol', '/PROTOCOL'),
      page('Clients in other languages', '/wire'),
      page('Versions and support', '/versions'),
      page('Architecture', '/ARCHITECTURE'),
      page('Changelog', '/changelog'),
    ],
  },
]

/** The pages of the API reference, which typedoc writes to docs/api before the site is built. */
export function apiSidebar(docs) {
  const folder = join(docs, 'api')
  if (!existsSync(folder)) return sidebar
  const modules = readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.md') && name !== 'index.md')
    .map((name) => name.slice(0, -'.md'.length).replaceAll('\\', '/'))
    .toSorted((a, b) => a.localeCompare(b))
  return [
    { text: 'API', items: modules.map((name) => page(name, `/api/${name}`)) },
    { text: 'Guides', items: [page('All guides', '/start/')] },
  ]
}
