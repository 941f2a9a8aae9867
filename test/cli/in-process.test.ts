import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { manualClock } from 'hereabouts/testing'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { post, type PostCommand } from '../../src/cli/commands/post.js'
import { watch } from '../../src/cli/commands/watch.js'
import { Output } from '../../src/cli/output.js'
import { configFailure, loadServerConfig } from '../../src/cli/server-config.js'
import { cell, id, one } from '../support/clients/memory-room.js'
import { MemoryRefusal, memoryServer, settled, type MemoryServer } from '../support/servers/memory-server.js'

/* Commands in this process, with a server without a network. As processes: cli.test.ts. */

const target = { url: 'http://host/trpc', header: { 'x-a': '1' }, timeout: 10 }
const key = 'A'.repeat(22)

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
let known: Map<string, unknown[]>
let server: MemoryServer
let clock: ReturnType<typeof manualClock>
beforeEach(() => {
  known = new Map(signals.map((signal) => [signal, process.listeners(signal)]))
  server = memoryServer()
  clock = manualClock()
  vi.stubGlobal('fetch', server.fetch)
})
afterEach(() => {
  vi.unstubAllGlobals()
  for (const signal of signals)
    for (const listener of process.listeners(signal))
      if (!known.get(signal)!.includes(listener)) process.off(signal, listener)
})

function output(json: boolean) {
  let said = ''
  const stream = {
    isTTY: !json,
    columns: 200,
    write: (text: string) => void (said += text),
  } as unknown as NodeJS.WriteStream
  const env = { NO_COLOR: '1', TERM: 'dumb' }
  return {
    output: new Output({ clock, stdout: stream, stderr: stream, env, json }),
    text: () => said,
    lines: () =>
      said
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}

/** Starts `hereabouts watch` in a room in which Ada is. */
async function watching(options: object = {}, json = true) {
  const out = output(json)
  let end: unknown
  server.answers.poll = () => ({ id: id(1), event: { type: 'snapshot', connections: [] }, features: [] })
  const over = watch({ ...target, room: 'r', ...options }, out.output, clock).then(
    () => (end = 'done'),
    (failure: unknown) => (end = failure),
  )
  await settled()
  await server.stream.hello({ features: ['presence', 'broadcasts'] })
  await server.stream.snapshot(id(1), one('ada', 1_000_000, { location: cell(1) }))
  await settled()
  let version = 1
  const changes = (event: object) =>
    server.stream.event(id(++version), { type: 'changes', from: id(version - 1), ...event } as never)
  return { ...out, over, changes, end: () => end }
}

describe('`hereabouts watch`', () => {
  test('watch prints each event once, with the fields that its help lists', async () => {
    const { lines, changes, over } = await watching({ count: 7 })
    expect(lines().at(-1)).toMatchObject({
      type: 'snapshot',
      room: 'r',
      members: [{ memberId: 'm-ada', name: 'ada', location: cell(1), activity: 'active', connections: 1 }],
    })
    const before = lines().length
    await changes({ entered: [one('bob', 2_000_000, { presence: { n: 1 } })] })
    await changes({ changed: [{ connectionId: 'bob', at: 3_000_000, location: cell(2) }] })
    await changes({ changed: [{ connectionId: 'bob', at: 4_000_000, profile: { name: 'Bo' } }] })
    await changes({ changed: [{ connectionId: 'bob', at: 5_000_000, activity: 'idle' }] })
    await changes({ changed: [{ connectionId: 'bob', at: 6_000_000, presence: { n: 2 } }] })
    const item = { name: 'wave', payload: { a: 1 }, connectionId: 'ada', memberId: 'm-ada', at: 7_000_000, after: 1 }
    await server.stream.event(id(6), { type: 'broadcast', items: [item] } as never)
    await changes({ left: [{ connectionId: 'bob', at: 8_000_000, reason: 'revoked' }] })
    // The seventh event was the last one.
    await over
    expect(lines().slice(before)).toMatchObject([
      {
        type: 'entered',
        room: 'r',
        memberId: 'm-bob',
        name: 'bob',
        location: null,
        activity: 'active',
        presence: { n: 1 },
      },
      { type: 'moved', memberId: 'm-bob', location: cell(2), previous: null },
      { type: 'updated', memberId: 'm-bob', name: 'Bo', profile: { name: 'Bo' }, previous: { name: 'bob' } },
      { type: 'updated', memberId: 'm-bob', activity: 'idle' },
      { type: 'presence', memberId: 'm-bob', presence: { n: 2 }, previous: { n: 1 } },
      { type: 'broadcast', broadcast: 'wave', payload: { a: 1 }, memberId: 'm-ada', name: 'ada' },
      { type: 'left', memberId: 'm-bob', location: null, previous: cell(2), reason: 'revoked' },
    ])
  })

  test('watch prints the events in words at a terminal', async () => {
    const { text, changes, over } = await watching({ count: 4 }, false)
    expect(text()).toMatch(/r · 1 person\n {2}● ada .* Q3!A2\n/)
    await changes({ entered: [one('bob', 2_000_000)] })
    await changes({ changed: [{ connectionId: 'bob', at: 3_000_000, location: cell(2) }] })
    await changes({ changed: [{ connectionId: 'bob', at: 4_000_000, profile: { name: 'Bo' } }] })
    await changes({ left: [{ connectionId: 'bob', at: 8_000_000, reason: 'lost' }] })
    await over
    expect(text()).toMatch(/bob .*entered {2}nowhere in particular\n/)
    expect(text()).toMatch(/moved {4}Q3!A3 {2}from nowhere in particular\n/)
    expect(text()).toMatch(/Bo .*updated {2}was bob\n/)
    expect(text()).toMatch(/left {5}connection lost, from Q3!A3\n/)
  })

  test('watch --once ends after the members, and leaves no stream', async () => {
    const { lines, over, end } = await watching({ once: true })
    await over
    expect([lines().filter(({ type }) => type === 'snapshot').length, end(), server.open]).toEqual([1, 'done', []])
    expect(server.requests.every(({ headers }) => headers['x-a'] === '1')).toBe(true)
  })

  test('watch --for ends after that time in the room', async () => {
    const { over, end } = await watching({ for: 3 })
    await clock.advance(2_999)
    expect(end()).toBe(undefined)
    await clock.advance(1)
    await over
    expect([end(), server.open]).toEqual(['done', []])
  })

  test('watch ends with exit code 1 when access is revoked, and without an error after Ctrl-C', async () => {
    const revoked = await watching()
    await server.stream.event(id(1), { type: 'bye', reason: 'revoked' })
    await revoked.over
    expect(revoked.end()).toMatchObject({ exitCode: 1, message: 'Your access to this room was revoked.' })
    const interrupted = await watching()
    process.emit('SIGINT')
    await interrupted.over
    expect([interrupted.end(), server.open]).toEqual(['done', []])
  })

  test('watch prints the state of its connection', async () => {
    const { lines } = await watching()
    server.answers.status = 503
    await server.stream.cut()
    await clock.advance(100)
    const states = lines().filter(({ type }) => type === 'status')
    expect(states.map(({ status }) => status).slice(0, 2)).toEqual(['connecting', 'live'])
    expect(states.find(({ status }) => status === 'waiting')).toMatchObject({
      room: 'r',
      attempt: 1,
      message: 'The stream was cut.',
    })
  })
})

describe('`hereabouts post`', () => {
  const command = (more: Partial<PostCommand> = {}): PostCommand => ({
    ...target,
    room: 'r',
    location: { value: cell(1) },
    profile: undefined,
    ...more,
  })
  const lines = (...all: string[]) => {
    const from = new PassThrough()
    from.end(all.map((line) => `${line}\n`).join(''))
    return { from }
  }

  test('each option of a post reaches the server', async () => {
    const { output: out, lines: said } = output(true)
    const options = {
      profile: { name: 'Ada' },
      presence: { n: 1 },
      activity: 'idle' as const,
      key,
      memberKey: key,
      lease: 60,
    }
    await post(command(options), out, clock)
    expect(server.inputs('postLocation')).toEqual([
      {
        room: 'r',
        location: cell(1),
        connectionKey: key,
        memberKey: key,
        profile: { name: 'Ada' },
        presence: { n: 1 },
        activity: 'idle',
        leaseMs: 60_000,
      },
    ])
    expect(said()).toMatchObject([
      { type: 'posted', room: 'r', location: cell(1), outcome: 'applied', memberId: 'm-me' },
    ])
  })

  test.each(['stale', 'expired', 'left'] as const)(
    'the outcome `%s` is a failure that says what to do',
    async (outcome) => {
      const { output: out } = output(true)
      server.answers.post = () => ({ outcome, connectionId: 'c', memberId: 'm', seq: 1 })
      await expect(post(command(), out, clock)).rejects.toMatchObject({
        exitCode: 1,
        message: expect.stringMatching(new RegExp(`^${outcome}: .*post`)) as string,
      })
    },
  )

  test('a key that the server issued is printed, and used for the next line', async () => {
    server.answers.post = ({ connectionKey }) => ({
      outcome: 'same',
      connectionId: 'c',
      memberId: 'm',
      seq: 1,
      ...(connectionKey === undefined && { connectionKey: key }),
    })
    const terminal = output(false)
    await post(command(), terminal.output, clock)
    expect(terminal.text()).toBe(`same: Q3!A2 in r  (next post: --key ${key})\n`)
    await post(command({ location: lines('{"a":1}', '', '{"a":2}', '{"a":3}') }), output(true).output, clock)
    expect(
      server
        .inputs('postLocation')
        .slice(1)
        .map(({ connectionKey, location }) => [connectionKey, location]),
    ).toEqual([
      [undefined, { a: 1 }],
      [key, { a: 2 }],
      [key, { a: 3 }],
    ])
  })

  test('a line that is not JSON ends the command with exit code 2 and its number', async () => {
    await expect(post(command({ location: lines('1', '', '{x') }), output(true).output, clock)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(/^Line 3: Not JSON: .*at character 2/) as string,
    })
    expect(server.inputs('postLocation')).toHaveLength(1)
  })

  test('a line over the rate limit is posted again when the server says, and any other refusal ends the command', async () => {
    let refusals = 2
    server.answers.post = () => {
      if (refusals-- > 0) throw new MemoryRefusal('rate-limited: Wait.', 429, { retryAfterMs: 900 })
      return { outcome: 'applied', connectionId: 'c', memberId: 'm', seq: 1 }
    }
    let over = false
    void post(command({ location: lines('1') }), output(true).output, clock).then(() => (over = true))
    const posts = () => server.inputs('postLocation').length
    await vi.waitFor(() => expect(posts()).toBe(1))
    await settled()
    await clock.advance(899)
    expect(posts()).toBe(1)
    await clock.advance(1)
    await settled()
    await clock.advance(900)
    await vi.waitFor(() => expect([posts(), over]).toEqual([3, true]))
    server.answers.post = () => {
      throw new MemoryRefusal('forbidden: No.', 403)
    }
    await expect(post(command({ location: lines('1', '2') }), output(true).output, clock)).rejects.toMatchObject({
      code: 'forbidden',
    })
    expect(posts()).toBe(4)
  })

  test('`post --stay` enters with all that it was given, stays, and leaves after Ctrl-C', async () => {
    const { output: out, lines: said } = output(true)
    const options = { stay: true, profile: { name: 'Ada' }, presence: { n: 1 }, activity: 'away' as const }
    let over = false
    void post(command(options), out, clock).then(() => (over = true))
    await settled()
    await server.stream.hello({ features: ['presence'] })
    await server.stream.snapshot(id(1))
    await clock.advance(200)
    await settled()
    expect(server.inputs('postLocation').at(-1)).toMatchObject({
      location: cell(1),
      profile: { name: 'Ada' },
      presence: { n: 1 },
      activity: 'away',
    })
    expect(said().at(-1)).toMatchObject({ type: 'entered', memberId: 'm-me', location: cell(1) })
    process.emit('SIGTERM')
    await vi.waitFor(() => expect(over).toBe(true))
    expect([said().at(-1)!['type'], server.inputs('leaveRoom').length, server.open]).toEqual(['left', 1, []])
  })
})

describe('the file of `serve --config`', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hereabouts-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }

  test.each([
    ['that has no default export', 'export const a = 1', /has no default export\. Write: export default/],
    ['that exports a function', 'export default () => {}', /must be the options of createLocationServer/],
    ['that exports a server', 'export default { hub: 1, location: 1 }', /must be the options of createLocationServer/],
    ['without a location', 'export default { locks: true }', /has no location/],
    ['that throws', 'throw new Error("no env")', /could not be loaded: no env\./],
  ])('a file %s is a usage error that says what to write', async (_, text, said) => {
    const name = `${Math.random()}.mjs`
    await expect(loadServerConfig(file(name, text))).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(said) as string,
    })
  })

  test('a file that does not exist is a usage error, and the options of a good one are returned', async () => {
    await expect(loadServerConfig(join(folder, 'gone.mjs'))).rejects.toMatchObject({ exitCode: 2 })
    expect(await loadServerConfig(file('good.mjs', 'export default { location: 5, locks: true }'))).toEqual({
      location: 5,
      locks: true,
    })
  })

  test('an error about the options of a file names the file', () => {
    expect(configFailure('hub.mjs', new Error('limits.x is wrong'))).toMatchObject({
      exitCode: 2,
      message: 'hub.mjs: limits.x is wrong',
    })
    expect(configFailure('hub.mjs', 'text')).toBe('text')
  })
})
