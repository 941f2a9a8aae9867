import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initTRPC, TRPCError } from '@trpc/server'
import { createHTTPServer } from '@trpc/server/adapters/standalone'
import { cellLocation } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { serveLocations } from 'hereabouts/testing'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import * as z from 'zod'
import { built } from '../support/built.js'
import { listening } from '../support/network/listening.js'
import { blocksOf, link, root } from '../support/snippets.js'
import { linesOf, ofType, run, start } from './command.js'

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 20_000, maxConcurrency: 4 })
beforeAll(() => built('package'), 60_000)

const cell = { sheet: 'Q3', row: 4, col: 2 }
const location = JSON.stringify(cell)

/** Returns a URL where nothing listens: its port was free a moment ago. */
async function deserted(): Promise<string> {
  const server = await serveLocations()
  await server.close()
  return server.url
}

describe.concurrent('the help of the CLI', () => {
  test.each([[], ['serve'], ['watch'], ['post'], ['broadcast'], ['bots']])(
    'the help of `hereabouts %s` has examples and exit codes',
    async (...command) => {
      const { code, stdout, stderr } = await run([...command, '--help'])
      expect(code).toBe(0)
      expect(stderr).toBe('')
      expect(stdout).toContain(`npx hereabouts ${command[0] ?? 'serve'}`)
      expect(stdout).toMatch(/Exit codes:\n {2}0 {2}done/)
    },
  )

  test('hereabouts --version prints the version of package.json', async () => {
    const { code, stdout } = await run(['--version'])
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(code).toBe(0)
  })
})

describe.concurrent('invalid options of the CLI', () => {
  test.each([
    [['walk'], "unknown command 'walk'"],
    [['watch'], '--room'],
    [['watch', '--room', ''], 'of 1 to 128 visible characters'],
    [['bots', '--room', 'a\u0007b', '--count', '1'], 'of 1 to 128 visible characters'],
    [['post', '--room', 'r'.repeat(129), '--location', location], 'of 1 to 128 visible characters'],
    [['post', '--room', 'r', '--location', location, '--key', 'short'], '22 characters'],
    [['post', '--room', 'r', '--location', location, '--member-key', 'short'], '22 characters'],
    [['watch', '--room', 'r', '--url', 'ftp://x'], 'http://127.0.0.1:3000/trpc'],
    [['watch', '--room', 'r', '--header', 'nonsense'], "'name: value'"],
    [['serve', '--port', '70000'], 'from 0 to 65535'],
    [['serve', '--location', 'shape'], 'cell'],
    [['bots', '--room', 'r', '--count', '0'], 'from 1 to 1000'],
    [['post', '--room', 'r'], '--location'],
    [['post', '--room', 'r', '--location', '{"sheet":x}'], 'at character 10'],
    [['post', '--room', 'r', '--location', '{sheet:"Q3"}'], 'at character 2'],
    [['post', '--room', 'r', '--location', '{"sheet":"Q3"'], 'at character 14'],
    [['post', '--room', 'r', '--location', location, '--profile', '[]'], 'JSON object'],
    [['post', '--room', 'r', '--location', location, '--presence', '{typing:true}'], 'at character 2'],
    [['post', '--room', 'r', '--location', location, '--presence', '[]'], 'JSON object'],
    [['post', '--room', 'r', '--location', location, '--stay', '--lease', '60'], 'cannot be used with'],
    [['broadcast', 'r'], "missing required argument 'name'"],
    [['broadcast', '', 'message'], 'of 1 to 128 visible characters'],
    [['broadcast', 'r', 'message', '{x'], 'at character 2'],
    [['broadcast', 'r', 'message', '--key', 'short'], '22 characters'],
    [['serve', '--config', 'hub.mjs', '--location', 'cell'], 'cannot be used with'],
    [['serve', '--config', 'gone.mjs'], 'gone.mjs does not exist: --config takes a JavaScript file'],
  ])('an invalid command line exits with 2 and one line that says what to give: %j', async (args, said) => {
    const { code, stdout, stderr } = await run(args)
    expect(stderr).toContain(said)
    expect(stderr).toMatch(/^error: [^\n]+\n$/)
    expect(stdout).toBe('')
    expect(code).toBe(2)
  })
})

describe.concurrent('the CLI with an unreachable server', () => {
  test.each([
    ['post', '--location', location],
    ['post', '--location', location, '--stay'],
    ['watch'],
    ['bots', '--count', '2'],
    ['broadcast', 'r', 'message'],
  ])('`hereabouts %s` exits with 3 when nothing listens at the URL', async (...args) => {
    const url = await deserted()
    const room = args[0] === 'broadcast' ? [] : ['--room', 'r']
    const { code, stderr } = await run([...args, ...room, '--url', url, '--timeout', '5'])
    expect(stderr).toBe(
      `error: No server answers at ${url}: start one with \`npx hereabouts serve\`, or give its address with --url.\n`,
    )
    expect(code).toBe(3)
  })

  test.each([['post', '--location', location], ['watch']])(
    '`hereabouts %s` exits with 3 when the server does not answer within --timeout',
    async (...args) => {
      await using silent = await listening(createServer(() => {}))
      const { code, stderr } = await run([...args, '--room', 'r', '--timeout', '0.5'], {
        env: { HEREABOUTS_URL: silent.url },
      })
      expect(stderr).toMatch(/^error: [^\n]+\n$/)
      expect(stderr).toContain(silent.url)
      expect(code).toBe(3)
    },
  )
})

describe.concurrent('the CLI with a server that refuses', () => {
  test.each([
    ['post', '--location', '{"sheet":"Q3","row":"four","col":2}'],
    ['post', '--location', '{"sheet":"Q3","row":"four","col":2}', '--stay'],
  ])('`hereabouts %s` exits with 1 when the location schema rejects the location', async (...args) => {
    await using server = await serveLocations()
    const { code, stdout, stderr } = await run([...args, '--room', 'r', '--url', server.url])
    expect(stderr).toMatch(/^error: [^\n]*row[^\n]*\n$/)
    expect(stdout).not.toContain('posted')
    expect(code).toBe(1)
    expect(await server.hub.room('r').members()).toEqual([])
  })

  test("`hereabouts bots` exits with 1 when the server's locations are points, not cells", async () => {
    const { pointLocation } = await import('hereabouts')
    await using server = await serveLocations({ location: pointLocation })
    const { code, stderr } = await run(['bots', '--count', '2', '--room', 'r', '--url', server.url])
    expect(stderr).toMatch(/^error: [^\n]+\n$/)
    expect(code).toBe(1)
  })

  test.each([
    ['post', '--location', location],
    ['watch', '--once'],
    ['bots', '--count', '1', '--for', '0.2'],
  ])('`hereabouts %s` exits with 1 without credentials, and with 0 with --header', async (...args) => {
    await using server = await serveLocations({
      identify({ ctx }) {
        if (ctx.headers.get('authorization') !== 'Bearer abc') throw new TRPCError({ code: 'UNAUTHORIZED' })
        return { memberId: 'ada' }
      },
      authorize: () => true,
    })
    const command = [...args, '--room', 'r', '--url', server.url]
    const refused = await run(command)
    expect(refused.stderr).toMatch(/^error: [^\n]+\n$/)
    expect(refused.code).toBe(1)
    expect((await run([...command, '--header', 'authorization: Bearer abc'])).code).toBe(0)
  })

  test.each([['post', '--location', location], ['watch'], ['bots', '--count', '1']])(
    '`hereabouts %s` exits with 1 when the URL answers without location procedures',
    async (...args) => {
      await using other = await listening(
        createServer((_, response) => void response.writeHead(404).end('<h1>No.</h1>')),
      )
      const { code, stderr } = await run([...args, '--room', 'r', '--url', other.url])
      expect(stderr).toContain(`${other.url} answers, but not as a location server: check --url`)
      expect(code).toBe(1)
    },
  )
})

test("location procedures that are merged into an app's router are reached with --path", async () => {
  const t = initTRPC.create()
  const hub = createLocationHub({ location: cellLocation })
  const locations = createLocationRouter({ hub, procedure: t.procedure, anonymous: true })
  await using server = await listening(createHTTPServer({ router: t.router({ locations }), basePath: '/trpc/' }))
  const args = ['--room', 'r', '--url', server.url]
  expect((await run(['post', ...args, '--location', location, '--path', 'locations', '--name', 'Ada'])).code).toBe(0)
  const { stdout } = await run(['watch', ...args, '--path', 'locations', '--once'])
  expect(linesOf(stdout).at(-1)).toMatchObject({ type: 'snapshot', members: [{ name: 'Ada' }] })
  for (const command of [['post', '--location', location], ['watch']]) {
    const { code, stderr } = await run([...command, ...args])
    expect(stderr).toContain('--path')
    expect(code).toBe(1)
  }
  await hub.close()
})

describe.concurrent('watch', () => {
  test('watch prints the members, then their events', async () => {
    await using server = await serveLocations()
    const room = server.hub.room('r')
    await room.post({ memberId: 'ada', profile: { name: 'Ada' }, location: cell })
    await using watch = start(['watch', '--room', 'r', '--url', server.url, '--count', '3'])
    expect(await watch.next(ofType('snapshot'))).toEqual({
      type: 'snapshot',
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      room: 'r',
      members: [
        {
          memberId: 'ada',
          name: 'Ada',
          location: cell,
          activity: 'active',
          profile: { name: 'Ada' },
          connections: 1,
          changedAt: expect.stringMatching(/Z$/),
        },
      ],
    })
    await room.post({ memberId: 'bob', profile: { name: 'Bob' }, location: null })
    expect(await watch.next(ofType('entered'))).toMatchObject({
      room: 'r',
      memberId: 'bob',
      name: 'Bob',
      location: null,
    })
    await room.post({ memberId: 'bob', location: cell })
    expect(await watch.next(ofType('moved'))).toMatchObject({ memberId: 'bob', location: cell, previous: null })
    await server.hub.revoke('bob')
    expect(await watch.next(ofType('left'))).toMatchObject({ memberId: 'bob', previous: cell, reason: 'revoked' })
    expect(await watch.ended).toMatchObject({ code: 0, stderr: '' })
  })

  test('watch exits with 0 when interrupted, when its time is up, and when stdout is closed', async () => {
    await using server = await serveLocations()
    const args = ['watch', '--room', 'r', '--url', server.url]
    await using interrupted = start(args)
    await interrupted.next(ofType('snapshot'))
    interrupted.kill('SIGINT')
    expect((await interrupted.ended).code).toBe(0)

    expect((await run([...args, '--for', '0.1'])).code).toBe(0)

    await using unread = start(args)
    await unread.next(ofType('snapshot'))
    unread.closeStdout()
    await server.hub.room('r').post({ memberId: 'ada', location: cell })
    expect((await unread.ended).code).toBe(0)
  })

  test('watch survives a restart of a server that it was connected to', async () => {
    const first = await serveLocations()
    await using watch = start(['watch', '--room', 'r', '--url', first.url, '--timeout', '0.5'])
    await watch.next(ofType('snapshot'))
    await first.close()
    expect(await watch.next(({ status }) => status === 'waiting')).toMatchObject({ type: 'status', attempt: 1 })
    await using second = await serveLocations({ port: first.port })
    await watch.next(({ status }) => status === 'live')
    await second.hub.room('r').post({ memberId: 'ada', location: cell })
    expect(await watch.next(ofType('entered'))).toMatchObject({ memberId: 'ada' })
  })
})

describe.concurrent('post', () => {
  test('post prints the outcome, and the key to continue with', async () => {
    await using server = await serveLocations()
    const args = ['post', '--room', 'r', '--url', server.url, '--location', location]
    const first = await run([...args, '--name', 'Ada', '--activity', 'idle'])
    expect(first).toMatchObject({ code: 0, stderr: '' })
    const [posted] = linesOf(first.stdout)
    expect(posted).toMatchObject({ type: 'posted', room: 'r', outcome: 'applied', seq: 1, location: cell })
    const again = await run([...args, '--key', String(posted!['connectionKey']), '--lease', '60'])
    expect(linesOf(again.stdout)).toMatchObject([{ outcome: 'same', connectionId: posted!['connectionId'] }])
    expect(await server.hub.room('r').members()).toMatchObject([{ profile: { name: 'Ada' } }])
  })

  test('`post --location -` posts a location from each line of stdin, within the rate limit of the server', async () => {
    await using server = await serveLocations()
    const lines = Array.from({ length: 80 }, (_, row) => JSON.stringify({ ...cell, row }))
    const { code, stdout } = await run(['post', '--room', 'r', '--url', server.url, '--location', '-'], {
      input: `${lines.join('\n')}\n\n`,
    })
    expect(code).toBe(0)
    const posted = linesOf(stdout)
    expect(posted.map(({ outcome }) => outcome)).toEqual(lines.map(() => 'applied'))
    expect(new Set(posted.map(({ connectionId }) => connectionId)).size).toBe(1)
    expect(await server.hub.room('r').count()).toBe(1)
  })

  test('post stops at a line that is not JSON, and prints its number', async () => {
    await using server = await serveLocations()
    const { code, stdout, stderr } = await run(['post', '--room', 'r', '--url', server.url, '--location', '-'], {
      input: `${location}\n\n{"sheet":}\n${location}\n`,
    })
    expect(code).toBe(2)
    expect(linesOf(stdout)).toHaveLength(1)
    expect(stderr).toMatch(/^error: Line 3: Not JSON: [^\n]*at character 10[^\n]*\n$/)
  })

  test('`post --stay` keeps the member in the room, and leaves at once when interrupted', async () => {
    await using server = await serveLocations()
    await using watch = start(['watch', '--room', 'r', '--url', server.url])
    await watch.next(ofType('snapshot'))
    await using ada = start([
      'post',
      '--room',
      'r',
      '--url',
      server.url,
      '--location',
      location,
      '--name',
      'Ada',
      '--stay',
    ])
    await ada.next(ofType('entered'))
    expect(await watch.next(ofType('entered'))).toMatchObject({ name: 'Ada', location: cell })
    const began = performance.now()
    ada.kill('SIGINT')
    expect(await watch.next(ofType('left'))).toMatchObject({ name: 'Ada', reason: 'left' })
    expect(performance.now() - began).toBeLessThan(1_000)
    expect((await ada.ended).code).toBe(0)
  })

  test('`post --stay --location -` posts each line of stdin, and stays at the last location', async () => {
    await using server = await serveLocations()
    await using watch = start(['watch', '--room', 'r', '--url', server.url])
    await watch.next(ofType('snapshot'))
    await using ada = start(['post', '--room', 'r', '--url', server.url, '--location', '-', '--stay'], {
      input: `${location}\n${JSON.stringify({ ...cell, row: 9 })}`,
    })
    await watch.next(({ location: at }) => (at as typeof cell | undefined)?.row === 9)
    ada.kill('SIGTERM')
    await watch.next(ofType('left'))
    expect((await ada.ended).code).toBe(0)
  })
})

describe.concurrent('presence values', () => {
  const presence = z.object({ typing: z.boolean(), line: z.int() }).partial()

  test('watch prints the presence values of post: in the snapshot, when a member enters and when they change', async () => {
    await using server = await serveLocations({ presence })
    const args = ['--room', 'r', '--url', server.url]
    const ada = ['post', ...args, '--location', location, '--name', 'Ada']
    await using watch = start(['watch', ...args, '--count', '2'])
    expect(await watch.next(ofType('snapshot'))).toMatchObject({ members: [] })
    const first = await run([...ada, '--presence', '{"typing":true,"line":4}'])
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(await watch.next(ofType('entered'))).toMatchObject({ presence: { typing: true, line: 4 } })
    const [posted] = linesOf(first.stdout)
    await run([...ada, '--key', String(posted!['connectionKey']), '--presence', '{"line":5}'])
    const changed = { name: 'Ada', location: cell, presence: { line: 5 }, previous: { typing: true, line: 4 } }
    expect(await watch.next(ofType('presence'))).toMatchObject(changed)
    const { stdout } = await run(['watch', ...args, '--once'])
    expect(linesOf(stdout).at(-1)).toMatchObject({ members: [{ name: 'Ada', presence: { line: 5 } }] })
    const text = await run(['watch', ...args, '--once', '--no-json'])
    expect(text.stdout).toMatch(/Ada +Q3!C5 {2}\{"line":5\}/)
  })

  test('watch prints a changed presence value as text, and mentions no empty one', async () => {
    await using server = await serveLocations({ presence })
    const room = server.hub.room('r')
    await room.post({ memberId: 'bob', location: cell })
    await using watch = start(['watch', '--room', 'r', '--url', server.url, '--count', '1', '--no-json'])
    await watch.printed('bob')
    await room.post({ memberId: 'bob', location: cell, presence: { typing: true } })
    const { code, stdout } = await watch.ended
    expect(stdout).toMatch(/bob +Q3!C5\n/)
    expect(stdout).toMatch(/bob +presence \{"typing":true\}\n/)
    expect(code).toBe(0)
  })

  test('post --stay keeps the presence value while the member stays', async () => {
    await using server = await serveLocations({ presence })
    const args = ['--room', 'r', '--url', server.url]
    await using watch = start(['watch', ...args])
    await watch.next(ofType('snapshot'))
    await using ada = start(['post', ...args, '--location', location, '--presence', '{"typing":true}', '--stay'])
    await watch.next(({ presence: value }) => (value as { typing?: boolean } | undefined)?.typing === true)
    ada.kill('SIGINT')
    await watch.next(ofType('left'))
    expect((await ada.ended).code).toBe(0)
  })

  test('a presence value that the server has no schema for, or refuses, exits with 1 and its message', async () => {
    await using without = await serveLocations()
    await using server = await serveLocations({ presence })
    for (const { url } of [without, server]) {
      const posting = ['post', '--room', 'r', '--url', url, '--location', location, '--presence', '{"typing":7}']
      const { code, stderr } = await run(posting)
      expect(stderr).toMatch(/^error: [^\n]*presence[^\n]*\n$/)
      expect(code).toBe(1)
    }
  })
})

describe.concurrent('broadcasts and locks', () => {
  const broadcasts = { reaction: z.strictObject({ emoji: z.string() }) }

  test('watch prints the broadcasts of broadcast and of the server, and who sent them', async () => {
    await using server = await serveLocations({ broadcasts })
    await using watch = start(['watch', '--room', 'r', '--url', server.url])
    await watch.next(ofType('snapshot'))
    const sending = ['broadcast', 'r', 'reaction', '{"emoji":"🎉"}', '--url', server.url]
    const sent = await run([...sending, '--name', 'Ada'])
    expect(sent).toMatchObject({ code: 0, stderr: '' })
    expect(linesOf(sent.stdout)).toMatchObject([
      { type: 'sent', room: 'r', broadcast: 'reaction', payload: { emoji: '🎉' } },
    ])
    const shown = { broadcast: 'reaction', payload: { emoji: '🎉' }, name: 'Ada' }
    expect(await watch.next(ofType('broadcast'))).toMatchObject(shown)
    await watch.next(ofType('left'))
    await server.hub.room('r').broadcast('reaction', { emoji: '👋' })
    expect(await watch.next(ofType('broadcast'))).toMatchObject({ payload: { emoji: '👋' }, memberId: null })
    expect(await server.hub.room('r').members()).toEqual([])
    expect((await run([...sending, '--no-json', '--to', 'ada'])).stdout).toBe('sent: reaction to ada in r\n')
  })

  test('`broadcast --key` sends as a connection that is in the room, and does not change its location', async () => {
    await using server = await serveLocations({ broadcasts })
    const args = ['--url', server.url]
    const posted = await run(['post', '--room', 'r', '--location', location, ...args])
    const connectionKey = String(linesOf(posted.stdout)[0]!['connectionKey'])
    await using watch = start(['watch', '--room', 'r', '--count', '1', ...args])
    const snapshot = await watch.next(ofType('snapshot'))
    const sending = ['broadcast', 'r', 'reaction', '{"emoji":"👋"}', ...args]
    expect((await run([...sending, '--key', connectionKey])).code).toBe(0)
    const [{ memberId }] = snapshot['members'] as [{ memberId: string }]
    expect(await watch.next(ofType('broadcast'))).toMatchObject({ memberId })
    const absent = await run([...sending, '--key', 'A'.repeat(22)])
    expect(absent).toMatchObject({ code: 1, stdout: '' })
    expect(absent.stderr).toMatch(/^error: absent: [^\n]+ omit --key\.\n$/)
  })

  test('a broadcast that the server refuses exits with 1 and its message, and nobody stays in the room', async () => {
    await using server = await serveLocations({ broadcasts })
    await using without = await serveLocations()
    for (const [url, args, said] of [
      [server.url, ['reaction', '{"emoji":7}'], 'emoji'],
      [server.url, ['other'], 'name'],
      [without.url, ['reaction'], 'This server has no broadcasts'],
    ] as const) {
      const { code, stderr } = await run(['broadcast', 'r', ...args, '--url', url])
      expect(stderr).toMatch(/^error: [^\n]+\n$/)
      expect(stderr).toContain(said)
      expect(code).toBe(1)
    }
    expect(await server.hub.room('r').count()).toBe(0)
  })

  test('watch prints the places that members lock and unlock, and those that they hold', async () => {
    await using server = await serveLocations({ locks: true, timing: { claimMs: 0 } })
    const client = createLocationClient<typeof server.server.router>({ url: server.url })
    const room = client.join('r', { location: cell, profile: { name: 'Ada' } })
    await using watch = start(['watch', '--room', 'r', '--url', server.url])
    await watch.next(ofType('snapshot'))
    const lock = (await room.lock(cell))!
    const { fence } = lock
    expect(await watch.next(ofType('locked'))).toMatchObject({ name: 'Ada', place: cell, fence })
    const { stdout } = await run(['watch', '--room', 'r', '--url', server.url, '--once'])
    expect(linesOf(stdout).at(-1)).toMatchObject({ members: [{ name: 'Ada', locks: [{ location: cell, fence }] }] })
    const text = await run(['watch', '--room', 'r', '--url', server.url, '--once', '--no-json'])
    expect(text.stdout).toMatch(/Ada +Q3!C5 {2}\(holds Q3!C5\)/)
    await lock.release()
    expect(await watch.next(ofType('unlocked'))).toMatchObject({ name: 'Ada', place: cell, fence })
    await client.close()
  })
})

test('a Ctrl-C that npm forwards as a second signal counts once', async () => {
  await using server = await serveLocations()
  await using ada = start(['post', '--room', 'r', '--url', server.url, '--location', location, '--stay'])
  await ada.next(ofType('entered'))
  ada.kill('SIGINT')
  ada.kill('SIGINT')
  ada.kill('SIGTERM')
  expect((await ada.ended).code).toBe(0)
  expect(await server.hub.room('r').count()).toBe(0)
})

test('a second Ctrl-C ends the CLI at once with exit code 130', async () => {
  await using server = start(['serve', '--port', '0'])
  const { url } = await server.next(ofType('listening'))
  await using ada = start(['post', '--room', 'r', '--url', String(url), '--location', location, '--stay'])
  await ada.next(ofType('entered'))
  // The stopped server accepts connections and does not answer, so the leave hangs.
  server.kill('SIGSTOP')
  const impatience = setInterval(() => ada.kill('SIGINT'), 50)
  expect((await ada.ended).code).toBe(130)
  clearInterval(impatience)
})

describe('bots', () => {
  test('`bots` moves its members, and all of them leave the room at the end', async () => {
    await using server = await serveLocations()
    const room = server.hub.room('r')
    await using bots = start(['bots', '--count', '12', '--room', 'r', '--url', server.url, '--rate', '10'])
    expect(await bots.next(ofType('live'))).toMatchObject({ bots: 12 })
    let progress = await bots.next(ofType('progress'))
    expect(progress).toMatchObject({ live: 12, refused: 0 })
    while (!(Number(progress['posts']) > 12 && Number(progress['seen']) > 12))
      progress = await bots.next(ofType('progress'))
    const names = (await room.members()).map(({ profile }) => profile?.name)
    expect(new Set(names).size).toBe(12)
    expect(names.filter((name) => !name!.endsWith(' (bot)'))).toEqual([])
    const began = performance.now()
    bots.kill('SIGINT')
    expect(await bots.next(ofType('done'))).toMatchObject({ room: 'r', bots: 12 })
    expect(await room.count()).toBe(0)
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(await bots.ended).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('serve', () => {
  test('serve accepts each ready-made location type, and makes its clients reconnect when it exits', async () => {
    await using server = start(['serve', '--port', '0', '--drain', '0.1'])
    const listening = await server.next(ofType('listening'))
    expect(listening).toMatchObject({ location: 'any', anonymous: true })
    const url = String(listening['url'])
    const places = [location, '{"x":1,"y":2}', '{"path":"p","anchor":0,"head":4}']
    for (const place of [...places, '{"sheet":"Q3","from":{"row":0,"col":0},"to":{"row":1,"col":1}}'])
      expect((await run(['post', '--room', 'r', '--url', url, '--location', place])).code).toBe(0)
    expect((await run(['post', '--room', 'r', '--url', url, '--location', '{"z":1}'])).code).toBe(1)
    const typing = ['post', '--room', 'r', '--url', url, '--location', 'null', '--presence', '{"typing":true}']
    expect((await run(typing)).code).toBe(0)
    await using watch = start(['watch', '--room', 'r', '--url', url])
    await watch.next(ofType('snapshot'))
    server.kill('SIGTERM')
    await watch.next(({ status }) => status === 'waiting')
    expect(await server.ended).toMatchObject({ code: 0, stderr: '' })
  })

  test('`serve --config` serves the schemas of a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hereabouts-config-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    link(folder, { hereabouts: root, zod: join(root, 'node_modules/zod') })
    const fileOf = (name: string, code: string) => {
      writeFileSync(join(folder, name), code)
      return join(folder, name)
    }
    const documented = blocksOf('docs/cli.md').find(({ rest }) => rest === 'hub.mjs')!.code
    const config = fileOf('hub.mjs', documented)
    await using server = start(['serve', '--port', '0', '--config', config])
    const listening = await server.next(ofType('listening'))
    expect(listening).toMatchObject({ location: 'own', config, anonymous: true })
    const args = ['--url', String(listening['url'])]
    expect((await run(['broadcast', 'r', 'wave', '{"to":"all"}', ...args])).code).toBe(0)
    expect((await run(['broadcast', 'r', 'wave', '{"to":7}', ...args])).code).toBe(1)
    expect((await run(['broadcast', 'r', 'message', ...args])).code).toBe(1)

    for (const [name, code, said] of [
      ['none.mjs', 'export const a = 1', 'has no default export. Write: export default {'],
      ['seven.mjs', 'export default 7', 'must be the options of createLocationServer'],
      ['empty.mjs', 'export default {}', 'has no location'],
      ['bad.mjs', 'export default { location: 7 }', 'bad.mjs: The option `location` must be a zod 4 schema'],
      ['typo.mjs', documented.replace('locks:', 'lock:'), 'Unknown option lock'],
      ['broken.mjs', 'export default {', 'could not be loaded'],
      ['missing.mjs', "import 'not-installed'", 'npm install hereabouts zod'],
    ] as const) {
      const { code: exit, stdout, stderr } = await run(['serve', '--port', '0', '--config', fileOf(name, code)])
      expect(stderr).toMatch(/^error: [^\n]+\n$/)
      expect(stderr).toContain(said)
      expect([exit, stdout]).toEqual([2, ''])
    }
  })

  /** Writes a file for `--config`, beside which `hereabouts` and `zod` are installed. */
  function configFile(options: string): string {
    const folder = mkdtempSync(join(tmpdir(), 'hereabouts-config-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    link(folder, { hereabouts: root, zod: join(root, 'node_modules/zod') })
    const file = join(folder, 'hub.mjs')
    writeFileSync(
      file,
      `import { cellLocation } from 'hereabouts'\nexport default { location: cellLocation, ${options} }`,
    )
    return file
  }

  test.each([
    [0.1, ['--drain', '0.1'], 'timing: { drainMs: 60_000 }'],
    [0.3, [], 'timing: { drainMs: 300 }'],
    [1, [], ''],
  ])('serve drains for %d s with the arguments %j and a config file with { %s }', async (seconds, args, options) => {
    await using server = start(['serve', '--port', '0', '--config', configFile(options), ...args])
    const url = String((await server.next(ofType('listening')))['url'])
    await using watch = start(['watch', '--room', 'r', '--url', url])
    await watch.next(ofType('snapshot'))
    server.kill('SIGTERM')
    expect(await server.next(ofType('draining'))).toMatchObject({ signal: 'SIGTERM', seconds })
    expect(await server.ended).toMatchObject({ code: 0, stderr: '' })
  })

  test.each([
    ['--origin', 'origins'],
    ['--allow-host', 'allowedHosts'],
  ])(
    'a wrong entry of the option %s exits with 2, and the message does not blame the config file',
    async (option, name) => {
      for (const given of ['', 'origins: ["https://app.example"]']) {
        const args = ['serve', '--port', '0', '--config', configFile(given), option, 'https://*.example']
        const { code, stdout, stderr } = await run(args)
        expect(stderr).toMatch(new RegExp(`^error: ${name} has the entry "https://\\*\\.example"[^\n]+\n$`))
        expect([code, stdout]).toEqual([2, ''])
      }
      const { stderr } = await run(['serve', '--port', '0', '--config', configFile(`${name}: ['https://*.example']`)])
      expect(stderr).toContain(`hub.mjs: ${name} has the entry`)
    },
  )

  test.each([
    ['', /anyone who can reach this address may watch every room and post in it/],
    [
      'authorize: () => false',
      /callers do not sign in\. `authorize` of the file decides who may watch a room and post in it/,
    ],
  ])('serve --no-json prints who may watch and post, for a config file with { %s }', async (options, said) => {
    await using server = start(['serve', '--port', '0', '--no-json', '--config', configFile(options)])
    await server.printed('Try: ')
    server.kill('SIGTERM')
    const { stdout } = await server.ended
    expect(stdout).toMatch(said)
    expect(stdout.match(/Anonymous/g)).toHaveLength(1)
  })

  test('`serve` with a taken port exits with 1 and one line that says to use another port', async () => {
    await using taken = await serveLocations()
    const { code, stdout, stderr } = await run(['serve', '--port', String(taken.port)])
    expect(stderr).toMatch(/^error: [^\n]*is taken[^\n]*another port[^\n]*\n$/)
    expect(stdout).toBe('')
    expect(code).toBe(1)
  })
})
