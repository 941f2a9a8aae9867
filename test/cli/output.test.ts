import { manualClock } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { Output } from '../../src/cli/output.js'

function outputTo(options: { isTTY: boolean; json?: boolean; env?: NodeJS.ProcessEnv }) {
  const written: string[] = []
  const stream = {
    isTTY: options.isTTY,
    columns: 20,
    getColorDepth: () => 24,
    write: (text: string) => written.push(text),
  }
  const stdout = stream as unknown as NodeJS.WriteStream
  const { env = {}, json } = options
  return {
    output: new Output({ clock: manualClock(), stdout, stderr: stdout, env, json }),
    said: () => written.join(''),
  }
}

test('the CLI prints text on a terminal and JSON lines otherwise, and --json or --no-json overrides this', () => {
  const line = '{"type":"left","at":"2026-01-01T00:00:00.000Z","name":"Ada"}\n'
  for (const [options, expected] of [
    [{ isTTY: false }, line],
    [{ isTTY: true, json: true }, line],
    [{ isTTY: true }, 'Ada left\n'],
    [{ isTTY: false, json: false }, 'Ada left\n'],
  ] as const) {
    const { output, said } = outputTo(options)
    output.say('left', { name: 'Ada' }, 'Ada left')
    expect(said()).toBe(expected)
  }
})

describe('colours of the CLI', () => {
  test.each([
    ['a terminal', { isTTY: true }, true],
    ['a terminal with NO_COLOR set', { isTTY: true, env: { NO_COLOR: '1' } }, false],
    ['a terminal with TERM=dumb', { isTTY: true, env: { TERM: 'dumb' } }, false],
    ['a pipe', { isTTY: false, json: false }, false],
  ])('the CLI prints colours only on a terminal that supports them: %s', (_, options, hasThem) => {
    const { output } = outputTo(options)
    expect(output.style('bold', 'Ada').includes('\u001b[1m')).toBe(hasThem)
    expect(output.dot('#ff8000') === '\u001b[38;2;255;128;0m●\u001b[39m').toBe(hasThem)
  })
})

describe('the last line of a terminal', () => {
  test('the last line of a terminal is overwritten, stays below the output, and never wraps', () => {
    const { output, said } = outputTo({ isTTY: true, env: { NO_COLOR: '1' } })
    output.pin('trying again in 2 s')
    output.pin('trying again in 1 s, which is soon')
    output.say('status', {}, 'live again')
    output.pin('')
    const over = '\r\u001b[2K'
    const cut = 'trying again in 1 …'
    expect(said()).toBe(`trying again in 2 s${over}${cut}${over}live again\n${cut}${over}`)
  })

  test('the last line of a terminal is not written when stdout is not a terminal', () => {
    const { output, said } = outputTo({ isTTY: false })
    output.pin('connecting')
    output.tidy()
    expect(said()).toBe('')
  })
})

test('the CLI prints an error message as one line, whatever text the server sent', () => {
  const { output, said } = outputTo({ isTTY: false })
  output.complain('no\nsuch\u001b[31m room')
  expect(said()).toBe('error: nosuch room\n')
})
