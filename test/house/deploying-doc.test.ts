import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { idleTimeoutMs, nodeTimeouts } from '../../src/server/http/server-timeouts.js'
import { defaultTiming } from '../../src/server/options/timing.js'

const page = readFileSync(new URL('../../docs/deploying.md', import.meta.url), 'utf8')
const text = page.split('### Timeouts')[1]!.split('\n## ')[0]!

/** Returns the first two cells of each row in the table of our own timeouts. */
const documented = Object.fromEntries(
  [...text.matchAll(/^\| (.+?) +\| (\d+) +\| .+ \|$/gm)].map(([, name = '', ms]) => [
    name.replaceAll('`', ''),
    Number(ms),
  ]),
)

test('docs/deploying.md has the timeouts of the code', () => {
  const { headersTimeout, requestTimeout, keepAliveTimeout } = nodeTimeouts(defaultTiming, idleTimeoutMs())
  const { beatMs, stallMs, frameStallMs, rotateMs, hookMs } = defaultTiming
  expect(documented).toEqual({
    keepAliveMs: keepAliveTimeout,
    'headers (requestMs / 2)': headersTimeout,
    'request (requestMs \\* 3/4)': requestTimeout,
    'timing.beatMs': beatMs,
    'timing.stallMs': stallMs,
    'timing.frameStallMs': frameStallMs,
    'timing.rotateMs': rotateMs,
    'timing.hookMs': hookMs,
  })
})

test('a keepAliveMs that docs/deploying.md advises is longer than the timeout of its proxy', () => {
  const rows = [...text.matchAll(/^\| (\w[\w ]+?) +\|[^|]*?(\d+) (s|min|h)\b[^|]*\|.*keepAliveMs: ([\d_]+)/gm)]
  expect(rows.length).toBeGreaterThan(3)
  for (const [, proxy, count, unit, advised] of rows) {
    const proxyMs = Number(count) * { s: 1_000, min: 60_000, h: 3_600_000 }[unit as 's' | 'min' | 'h']
    expect([proxy, Number(advised!.replaceAll('_', '')) > proxyMs]).toEqual([proxy, true])
  }
})
