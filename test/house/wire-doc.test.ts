import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLocationClient } from 'hereabouts/client'
import { serveLocations } from 'hereabouts/testing'
import { afterAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { faultProxy } from '../support/network/fault-proxy.js'
import { presence } from '../contract/target.js'
import { blocksOf } from '../support/snippets.js'
import { until } from '../support/until.js'

/* Runs the clients of docs/wire.md as written: they join, stay present, see changes, resume after a cut, and leave. */

const folder = mkdtempSync(join(tmpdir(), 'hereabouts-wire-'))
afterAll(() => rmSync(folder, { recursive: true }))

const blocks = blocksOf('docs/wire.md')
const has = (...programs: string[]) =>
  programs.every((program) => spawnSync(program, ['--version']).status === 0) || !!process.env['CI']
const cell = (row: number) => ({ sheet: 'Q3', row, col: 2 })

const clients = [
  { file: 'client.py', name: 'Python', command: ['python3'], canRun: has('python3') },
  { file: 'client.sh', name: 'curl', command: ['bash'], canRun: has('bash', 'curl', 'jq') },
]

test('the Python client of docs/wire.md has at most forty-five lines', () => {
  const { code } = blocks.find(({ rest }) => rest === 'client.py')!
  expect(code.split('\n').filter(Boolean).length).toBeLessThanOrEqual(45)
})

describe.each(clients)('$file', ({ file, name, command, canRun }) => {
  test.skipIf(!canRun)(
    'a client of docs/wire.md joins, stays present, sees changes, resumes after a cut, and leaves',
    { timeout: 60_000 },
    async () => {
      const { code } = blocks.find(({ rest }) => rest === file)!
      writeFileSync(join(folder, file), code)
      const broadcasts = { note: z.string() }
      await using server = await serveLocations({
        timing: { scale: 1 / 10, claimMs: 0 },
        presence,
        broadcasts,
        locks: true,
      })
      const resumed: (string | undefined)[] = []
      let beats = 0
      let hasLeft = false
      await using proxy = await faultProxy(server.url, {
        open(call) {
          resumed.push(/"lastEventId":\s*"([^"]+)"/.exec(decodeURIComponent(call.path))?.[1])
          return call
        },
        call(call, pass) {
          hasLeft ||= call.procedure === 'leaveRoom'
          return pass(call)
        },
        event(event) {
          if (event.includes('"type":"beat"')) beats++
          return event
        },
      })
      const ada = createLocationClient<typeof server.server.router>({ url: server.url })
      const room = ada.join('sheet-42', { location: cell(1), profile: { name: 'Ada' } })
      let left = 0
      room.on('left', () => void left++)
      const [program, ...args] = [...command, join(folder, file), proxy.url, 'sheet-42', JSON.stringify(cell(4))]
      // A separate process group: the children of a shell receive Ctrl-C too.
      const child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
      const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
      let said = ''
      let complained = ''
      child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()))
      child.stderr.on('data', (bytes: Buffer) => (complained += bytes.toString()))
      try {
        await until('the client is there', () => room.membersAt(cell(4)).some(({ profile }) => profile?.name === name))
        await until('the documented client prints the members', () => said.includes('Ada'))
        room.post(cell(77))
        await until('the documented client prints a move', () => said.includes('77'))
        // The client must ignore the features that it does not use: presence values, locks and broadcasts.
        room.setPresence({ typing: true })
        const lock = await room.lock(cell(77))
        expect([lock?.location, await room.broadcast('note', 'hello')]).toEqual([cell(77), true])
        room.setPresence({ typing: undefined })
        // For longer than a lease the client answers heartbeats and finds its digest equal. With another digest it
        // would open its stream again without an id.
        await until('five beats have come, of which three make a lease', () => beats >= 5)
        expect([left, resumed.length], complained).toEqual([0, 1])
        proxy.cut()
        await until('the documented client has reconnected', () => resumed.length === 2)
        expect(resumed[1], complained).toMatch(/^[\w-]{11}\.\d+$/)
        room.post(cell(78))
        await until('the documented client prints a move after the cut', () => said.includes('78'))
        expect(left).toBe(0)
        process.kill(-child.pid!, 'SIGINT')
        await until('the documented client has left', () => hasLeft && room.others.length === 0)
        expect(await ended).toBe(0)
      } finally {
        if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL')
        await ada.close()
      }
    },
  )
})
