// Runs before and after `npm pack` and `npm publish`.
//
// Before: builds dist, so that a package from a fresh clone contains the current source, and makes the relative links
// and pictures of README.md absolute, since the package's page on the registry has no other files. After (--restore):
// restores README.md.
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = join(root, 'README.md')
const kept = join(root, 'node_modules/.cache/hereabouts/README.md')

/** Returns `markdown` with absolute addresses in place of relative ones: pages for links, raw files for pictures. */
export function withAbsoluteLinks(markdown, repository, version) {
  const raw = repository.replace('https://github.com/', 'https://raw.githubusercontent.com/')
  return markdown.replaceAll(
    /(!?)\[((?:[^\]\\]|\\.)*)\]\((?!https?:|mailto:|#)([^)\s]+)\)/g,
    (_, picture, text, path) => {
      const target = path.replace(/^\.\//, '')
      return picture
        ? `![${text}](${raw}/v${version}/${target})`
        : `[${text}](${repository}/blob/v${version}/${target})`
    },
  )
}

function prepare() {
  const { repository, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  mkdirSync(join(kept, '..'), { recursive: true })
  copyFileSync(readme, kept)
  const address = repository.url.replace(/^git\+/, '').replace(/\.git$/, '')
  writeFileSync(readme, withAbsoluteLinks(readFileSync(readme, 'utf8'), address, version))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--restore')) {
    if (existsSync(kept)) renameSync(kept, readme)
  } else {
    const { build, isStale } = await import('./build.mjs')
    if (isStale('package')) build('package')
    prepare()
  }
}
