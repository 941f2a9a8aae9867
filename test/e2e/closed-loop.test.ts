import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { built } from '../support/built.js'

/* Runs `node bench/closed-loop.mjs` for three seconds instead of thirty. */

test('200 viewers converge while 200 members post as fast as the server answers', { timeout: 120_000 }, () => {
  built('package')
  const script = fileURLToPath(new URL('../../bench/closed-loop.mjs', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--seconds', '3'], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/every viewer ended at the true state\n$/)
  expect(status).toBe(0)
})
