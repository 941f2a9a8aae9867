import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { withAbsoluteLinks } from '../../scripts/prepack.mjs'
import { datedChangelog, nextVersion, sectionOf } from '../../scripts/release.mjs'
import { root } from '../support/snippets.js'

const changelog = '# Changelog\n\n## 1.1.0 (unreleased)\n\n- New.\n\n## 1.0.0 (2026-01-02)\n\n- Old.\n'

describe('the release script', () => {
  test.each([
    ['patch', '1.2.4'],
    ['minor', '1.3.0'],
    ['major', '2.0.0'],
    ['4.5.6', '4.5.6'],
  ])('the release script turns version 1.2.3 and the step "%s" into %s', (step, expected) => {
    expect(nextVersion('1.2.3', step)).toBe(expected)
  })

  test('the release script rejects an argument that is neither a version nor patch, minor or major', () => {
    expect(() => nextVersion('1.2.3', 'bigger')).toThrow('"bigger" is neither patch, minor, major nor a version')
  })

  test('the release script writes the date into the unreleased section of the changelog and changes no other section', () => {
    const dated = datedChangelog(changelog, '1.1.0', '2026-03-04')
    expect(dated).toBe(changelog.replace('(unreleased)', '(2026-03-04)'))
    expect(sectionOf(dated, '1.1.0')).toBe('- New.')
    expect(sectionOf(dated, '1.0.0')).toBe('- Old.')
    expect(sectionOf(dated, '0.9.0')).toBeNull()
  })

  test('the release script refuses a changelog without an unreleased section', () => {
    expect(() => datedChangelog(datedChangelog(changelog, '1.1.0', '2026-03-04'), '1.2.0', '2026-03-05')).toThrow(
      'CHANGELOG.md has no unreleased section',
    )
  })
})

describe("the packed README's links", () => {
  const repository = 'https://github.com/a/b'

  test("the packed README's links lead to the repository at the version, and pictures to their raw files", () => {
    expect(withAbsoluteLinks('![a, b](docs/x.png) [c](docs/y.md#z) [d](./e)', repository, '1.2.3')).toBe(
      '![a, b](https://raw.githubusercontent.com/a/b/v1.2.3/docs/x.png) ' +
        '[c](https://github.com/a/b/blob/v1.2.3/docs/y.md#z) [d](https://github.com/a/b/blob/v1.2.3/e)',
    )
  })

  test("the packed README's links are unchanged when they are absolute or lead to the same page", () => {
    const text = '[a](https://x.example/y) [b](#c) [d](mailto:e@f.example)'
    expect(withAbsoluteLinks(text, repository, '1.2.3')).toBe(text)
  })

  test("the packed README's links are all absolute in README.md", () => {
    const packed = withAbsoluteLinks(readFileSync(join(root, 'README.md'), 'utf8'), repository, '1.2.3')
    const links = Array.from(packed.matchAll(/\]\(([^)]+)\)/g), ([, target]) => target)
    expect(links.length).toBeGreaterThan(5)
    expect(links.filter((target) => !/^(https:|#)/.test(target ?? ''))).toEqual([])
  })
})

describe("the project's GitHub files", () => {
  test("the project's GitHub files name the repository of package.json wherever they name one", () => {
    const { repository, bugs } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      repository: { url: string }
      bugs: string
    }
    const address = repository.url.replace(/^git\+|\.git$/g, '')
    expect(bugs).toBe(`${address}/issues`)
    const named = readdirSync(join(root, '.github'), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(yml|md)$/.test(name))
      .flatMap((name) =>
        readFileSync(join(root, '.github', name), 'utf8').match(/https:\/\/github\.com\/[\w-]+\/[\w-]+/g),
      )
      .filter((found) => found !== null)
    expect(named.length).toBeGreaterThan(0)
    expect(new Set(named)).toEqual(new Set([address]))
  })
})
