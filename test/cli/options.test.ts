import type { Command } from 'commander'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { programOf } from '../../src/cli/program.js'

/* Every option of the command line reaches its command. A new option without a row here is red. */

const key = 'A'.repeat(22)
const common: Record<string, [args: string[], expected: object]> = {
  '--url': [['--url', 'https://a.example/t'], { url: 'https://a.example/t' }],
  '--path': [['--path', 'app.rooms'], { path: 'app.rooms' }],
  '--header': [['-H', 'a: 1', '--header', 'b: x:y'], { header: { a: '1', b: 'x:y' } }],
  '--timeout': [['--timeout', '2.5'], { timeout: 2.5 }],
  '--json': [['--json'], { json: true }],
  '--no-json': [['--no-json'], { json: false }],
}
const inRoom = { ...common, '--room': [['-r', 'e\u0301'], { room: '\u00e9' }] } satisfies typeof common

const rows: Record<string, { least: string[]; defaults: object; options: typeof common }> = {
  serve: {
    least: [],
    defaults: { port: 3000, host: '127.0.0.1', location: 'any' },
    options: {
      '--port': [['-p', '0'], { port: 0 }],
      '--config': [['--config', 'hub.mjs'], { config: 'hub.mjs' }],
      '--host': [['--host', '0.0.0.0'], { host: '0.0.0.0' }],
      '--location': [['--location', 'point'], { location: 'point' }],
      '--origin': [['--origin', 'https://a', 'https://b'], { origin: ['https://a', 'https://b'] }],
      '--allow-host': [['--allow-host', 'a', 'b'], { allowHost: ['a', 'b'] }],
      '--drain': [['--drain', '0.5'], { drain: 0.5 }],
      '--metrics': [['--metrics', '9000'], { metrics: 9000 }],
      '--json': common['--json']!,
      '--no-json': common['--no-json']!,
    },
  },
  watch: {
    least: ['--room', 'r'],
    defaults: { room: 'r', url: 'http://127.0.0.1:3000/trpc', header: {}, timeout: 10 },
    options: {
      ...inRoom,
      '--once': [['--once'], { once: true }],
      '--count': [['--count', '3'], { count: 3 }],
      '--for': [['--for', '1.5'], { for: 1.5 }],
    },
  },
  post: {
    least: ['--room', 'r', '--location', 'null'],
    defaults: { room: 'r', location: { value: null } },
    options: {
      ...inRoom,
      '--location': [['-l', '{"row":1}'], { location: { value: { row: 1 } } }],
      '--name': [['-n', 'Ada'], { name: 'Ada' }],
      '--profile': [['--profile', '{"color":"#fff"}'], { profile: { color: '#fff' } }],
      '--presence': [['--presence', '{"typing":true}'], { presence: { typing: true } }],
      '--activity': [['--activity', 'away'], { activity: 'away' }],
      '--key': [['--key', key], { key }],
      '--member-key': [['--member-key', key], { memberKey: key }],
      '--lease': [['--lease', '60'], { lease: 60 }],
      '--stay': [['--stay'], { stay: true }],
    },
  },
  broadcast: {
    least: ['r', 'wave'],
    defaults: { room: 'r', broadcast: 'wave', payload: null },
    options: {
      ...common,
      '--to': [['--to', 'ada'], { to: 'ada' }],
      '--key': [['--key', key], { key }],
      '--name': [['-n', 'Ada'], { name: 'Ada' }],
    },
  },
  bots: {
    least: ['--room', 'r', '--count', '1'],
    defaults: { room: 'r', count: 1, sheets: ['Q3', 'Budget'], rows: 100, cols: 26, rate: 1 },
    options: {
      ...inRoom,
      '--count': [['-c', '7'], { count: 7 }],
      '--sheets': [['--sheets', 'a, b'], { sheets: ['a', 'b'] }],
      '--rows': [['--rows', '8'], { rows: 8 }],
      '--cols': [['--cols', '9'], { cols: 9 }],
      '--rate': [['--rate', '0.5'], { rate: 0.5 }],
      '--profile': [['--profile', '{"color":"#fff"}'], { profile: { color: '#fff' } }],
      '--for': [['--for', '2'], { for: 2 }],
    },
  },
}

const byText = (a?: string | null, b?: string | null) => (a! < b! ? -1 : 1)

function parsing() {
  const commands: object[] = []
  const program = programOf(() => async (command) => void commands.push(command))
  const silence = (command: Command) =>
    command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {}, outputError: () => {} })
  silence(program)
  program.commands.forEach(silence)
  const parse = async (...args: string[]) => {
    await program.parseAsync(args, { from: 'user' })
    return commands.at(-1)!
  }
  return { program, parse }
}

afterEach(() => vi.unstubAllEnvs())

describe.each(Object.entries(rows))('`hereabouts %s`', (name, { least, defaults, options }) => {
  test(`every option of \`${name}\` has a row in this table`, () => {
    const command = parsing().program.commands.find((each) => each.name() === name)!
    expect(command.options.map(({ long }) => long).toSorted(byText)).toEqual(Object.keys(options).toSorted(byText))
  })

  test(`\`${name}\` without options uses the defaults`, async () => {
    vi.stubEnv('HEREABOUTS_URL', undefined)
    expect(await parsing().parse(name, ...least)).toMatchObject(defaults)
  })

  test.each(Object.entries(options))(`\`${name}\` takes %s`, async (_, [args, expected]) => {
    expect(await parsing().parse(name, ...least, ...args)).toMatchObject(expected)
  })
})

test('the environment variable HEREABOUTS_URL is the default of --url', async () => {
  vi.stubEnv('HEREABOUTS_URL', 'https://env.example/trpc')
  expect(await parsing().parse('watch', '--room', 'r')).toMatchObject({ url: 'https://env.example/trpc' })
})

test('`--metrics` without a port uses 9464', async () => {
  expect(await parsing().parse('serve', '--metrics')).toMatchObject({ metrics: 9464 })
})

test('`post --location -` reads locations from stdin', async () => {
  expect(await parsing().parse('post', '--room', 'r', '--location', '-')).toMatchObject({
    location: { from: process.stdin },
  })
})

test.each([
  ['watch'],
  ['watch', '--room', 'r', '--count', '0'],
  ['watch', '--room', 'r', '--count', '1.5'],
  ['watch', '--room', 'r', '--for', '-1'],
  ['watch', '--room', 'r', '--timeout', '0'],
  ['watch', '--room', 'r', '--timeout', ''],
  ['watch', '--room', 'r', '--url', 'ftp://x'],
  ['watch', '--room', 'r', '--header', 'x'],
  ['post', '--room', 'r', '--location', '{'],
  ['post', '--room', 'r', '--location', 'null', '--profile', '[]'],
  ['post', '--room', 'r', '--location', 'null', '--presence', 'null'],
  ['post', '--room', 'r', '--location', 'null', '--activity', 'asleep'],
  ['post', '--room', 'r', '--location', 'null', '--stay', '--key', key],
  ['post', '--room', 'r', '--location', 'null', '--stay', '--member-key', key],
  ['post', '--room', 'r', '--location', 'null', '--stay', '--lease', '3'],
  ['broadcast', 'r', 'wave', '--key', key, '--name', 'Ada'],
  ['bots', '--room', 'r', '--count', '1001'],
  ['bots', '--room', 'r', '--count', '1', '--sheets', 'a,,b'],
  ['bots', '--room', 'r', '--count', '1', '--rate', '21'],
  ['serve', '--port', '65536'],
  ['serve', '--drain', '601'],
  ['serve', '--config', 'x', '--location', 'cell'],
])('the command line %j %j %j %j %j %j %j is a usage error', async (...args) => {
  await expect(parsing().parse(...args)).rejects.toMatchObject({
    code: expect.stringMatching(/^commander\./) as string,
  })
})
