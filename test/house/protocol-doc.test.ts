import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initTRPC, TRPCError } from '@trpc/server'
import { getHTTPStatusCodeFromError } from '@trpc/server/http'
import {
  applyEvent,
  cellLocation,
  LocationError,
  locationEvent,
  memberProfile,
  View,
  type LocationErrorCode,
  type LocationEvent,
} from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { locationContract, serveLocations } from 'hereabouts/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { anonymousMemberIdOf, connectionIdOf, defaultConnectionIdOf } from '../../src/server/rules/ids.js'
import { defaultLimits } from '../../src/server/options/limits.js'
import { defaultTiming } from '../../src/server/options/timing.js'
import { Digest } from '../../src/shared/digest.js'
import { leaving, Play, posting, sweeping } from '../support/histories.js'
import { shell } from '../support/shell.js'
import { blocksOf, root, type Block } from '../support/snippets.js'
import { until } from '../support/until.js'
import type { CellTypes } from '../support/cell-types.js'
import { cells } from '../contract/target.js'

/* The tables, bytes, commands and code of docs/PROTOCOL.md are checked against the source. */

const doc = 'docs/PROTOCOL.md'
const text = readFileSync(join(root, doc), 'utf8')
const blocks = blocksOf(doc)

/** Returns the rows of the tables of a section, each as its cells. */
function rowsOf(section: string): string[][] {
  const [, rest] = text.split(`\n## ${section}\n`)
  if (rest === undefined) throw new Error(`PROTOCOL.md has no section ${section}`)
  const lines = rest.split('\n## ')[0]!.split('\n')
  return lines
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}
const bare = (cell: string | undefined) => (cell ?? '').replaceAll('`', '')

describe('the table of numbers of docs/PROTOCOL.md', () => {
  const said = Object.fromEntries(
    rowsOf('Numbers').flatMap(([name, number]) =>
      /^`\w+`$/.test(name!) ? [[bare(name), Number(number!.replaceAll(',', ''))]] : [],
    ),
  )

  test('the table of numbers of docs/PROTOCOL.md lists every number with the value of the code', () => {
    expect(said).toEqual({ ...defaultLimits, ...defaultTiming })
  })
})

describe('the outcome of a post', () => {
  const rows = rowsOf('Procedures').filter((cells) => cells.length === 4)
  const before: Record<string, (play: Play) => unknown> = {
    'is unknown': () => {},
    'is present': (play) => play.after(0, posting('c1', 5, 'A1')),
    'is leaving': (play) => play.after(0, posting('c1', 5, 'A1'), leaving('c1', { seq: 5, graceMs: 3_000 })),
    'was lost': (play) => (play.after(0, posting('c1', 5, 'A1')), play.after(30_000, sweeping)),
    'has left': (play) => play.after(0, posting('c1', 5, 'A1'), leaving('c1')),
  }
  const comesTo = (state: string, seq: number | undefined, location: string) => {
    const play = new Play()
    before[state]!(play)
    return (play.after(0, posting('c1', seq, location)).outcomes[0] as { outcome: string }).outcome
  }

  test.each(Object.keys(before))('the outcome of a post when its connection %s is as documented', (state) => {
    const [, newer, equal, lower] = rows.find(([connection]) => connection!.startsWith(state))!
    // A newer post is answered `applied`, or `same` if it changes nothing.
    const said = new Set([comesTo(state, 6, 'B2'), comesTo(state, undefined, 'B2'), comesTo(state, 6, 'A1')])
    expect([...said].join(', ')).toBe(bare(newer))
    expect(comesTo(state, 5, 'B2')).toBe(bare(equal).split(',')[0])
    expect(comesTo(state, 4, 'B2')).toBe(bare(lower))
  })
})

describe('the procedures', () => {
  const t = initTRPC.context<{ name: string }>().create()
  const hub = createLocationHub({ location: cellLocation })
  afterAll(() => hub.close())
  const router = createLocationRouter({
    hub,
    procedure: t.procedure,
    identify: ({ ctx }) => ({ memberId: ctx.name, profile: { name: ctx.name } }),
    authorize: ({ room, action }) => room !== 'closed' && (room !== 'dark' || action === 'post'),
  })
  const as = (name: string) => t.router(router).createCaller({ name })
  const connectionKey = 'c2VjcmV0LW9mLWEtdGFiIQ'
  const post = { connectionKey, location: null }

  test('a post without a key is for the default connection of the member, with the profile that identify() returns', async () => {
    const reply = await as('ada').postLocation({ room: 'r1', location: null, profile: { name: 'Eve' } })
    expect(reply).toMatchObject({ connectionId: 'Pgb7WhdjO6O1AWCZ', memberId: 'ada', outcome: 'applied' })
    expect(reply.connectionKey).toBeUndefined()
    const { event } = await as('ada').getLocations({ room: 'r1' })
    expect(event).toMatchObject({ connections: [{ memberId: 'ada', profile: { name: 'ada' } }] })
  })

  test('postLocation returns an event id only to callers who may read the room', async () => {
    expect((await as('ada').postLocation({ room: 'r2', ...post })).id).toBeDefined()
    expect((await as('ada').postLocation({ room: 'dark', ...post })).id).toBeUndefined()
  })

  test("another member's connectionKey is rejected in a post, a leave and a stream", async () => {
    await as('ada').postLocation({ room: 'r3', ...post })
    const refusal = { message: expect.stringMatching(/^connection-owned: /) }
    await expect(as('bob').postLocation({ room: 'r3', ...post })).rejects.toMatchObject(refusal)
    await expect(as('bob').leaveRoom({ room: 'r3', connectionKey })).rejects.toMatchObject(refusal)
    await expect(as('bob').onLocation({ room: 'r3', connectionKey })).rejects.toMatchObject(refusal)
  })

  test('leaveRoom needs no permission, and countMembers counts only rooms that the caller may read', async () => {
    expect(await as('ada').leaveRoom({ room: 'closed', connectionKey })).toEqual({ outcome: 'left' })
    const counted = await as('ada').countMembers({ rooms: ['closed', 'r1', 'closed'] })
    expect(counted).toEqual([{ room: 'r1', members: expect.any(Number) }])
  })

  test('the procedures accept lastEventId as tRPC clients add it, and reject every unknown property', async () => {
    const lastEventId = 'x'
    expect(await as('ada').postLocation({ room: 'r4', ...post, lastEventId })).toMatchObject({ outcome: 'applied' })
    expect(await as('ada').leaveRoom({ room: 'r4', connectionKey, lastEventId })).toEqual({ outcome: 'left' })
    const input = { rooms: ['r4'], lastEventId }
    await expect(as('ada').countMembers(input)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('the stream of a revoked member ends with a `revoked` bye and then FORBIDDEN', async () => {
    const heard: string[] = []
    const stream = await as('cy').onLocation({ room: 'r5' })
    const over = (async () => {
      for await (const [, event] of stream as unknown as AsyncIterable<[string, { type: string; reason?: string }]>) {
        heard.push(event.reason ?? event.type)
        if (event.type === 'snapshot') await hub.revoke('cy')
      }
    })()
    await expect(over).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(heard).toEqual(['hello', 'snapshot', 'revoked'])
  })
})

describe('the table of errors of docs/PROTOCOL.md', () => {
  const rows = rowsOf('Errors').filter(([code]) => code!.startsWith('`'))

  test.each(rows)('the error code %s is sent as %s', async (code, trpcCode, status) => {
    const t = initTRPC.create()
    const router = createLocationRouter({
      hub: createLocationHub({ location: cellLocation }),
      procedure: t.procedure,
      identify: () => Promise.reject(new LocationError(bare(code) as LocationErrorCode, 'Why.')),
      authorize: () => true,
    })
    const refusal = await t
      .router(router)
      .createCaller({})
      .countMembers({ rooms: [] })
      .catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(TRPCError)
    expect(refusal).toMatchObject({ code: bare(trpcCode), message: `${bare(code)}: Why.` })
    expect(getHTTPStatusCodeFromError(refusal as TRPCError)).toBe(Number(status))
  })

  test('the table of errors of docs/PROTOCOL.md lists every code except the two that only the client uses', () => {
    const source = readFileSync(join(root, 'src/shared/errors.ts'), 'utf8')
    const codes = Array.from(source.matchAll(/^ {2}\| '([\w-]+)'$/gm), ([, code]) => code!)
    expect(codes.filter((code) => code !== 'network').sort()).toEqual(rows.map(([code]) => bare(code)).sort())
  })
})

describe('the digest of docs/PROTOCOL.md', () => {
  const vectors = rowsOf('The digest').flatMap(([connections, digest]) =>
    /^`[0-9a-f]{16}`$/.test(digest!) ? [{ connections: connectionsIn(connections!), digest: bare(digest) }] : [],
  )

  test('each test vector of the digest in docs/PROTOCOL.md has the digest that the code computes', () => {
    expect(vectors).toHaveLength(6)
    for (const vector of vectors) {
      const digest = new Digest()
      vector.connections.forEach((connection) => digest.toggle(connection))
      expect(digest.toString(), JSON.stringify(vector)).toBe(vector.digest)
    }
  })

  test('each test vector of the digest in docs/PROTOCOL.md has the digest that the documented function computes', async () => {
    const { digest } = (await imported('digest.ts')) as { digest: (connections: object[]) => string }
    for (const vector of vectors) expect(digest(vector.connections)).toBe(vector.digest)
  })

  test('docs/PROTOCOL.md and the unit tests have the same test vectors of the digest', () => {
    const unit = readFileSync(join(root, 'test/shared/digest.test.ts'), 'utf8')
    for (const [, digest] of unit.matchAll(/'([0-9a-f]{16})'/g))
      expect(vectors.map((vector) => vector.digest)).toContain(digest)
  })

  function connectionsIn(cell: string) {
    return Array.from(cell.matchAll(/`([\w-]+):(\d+)`/g), ([, connectionId = '', at]) => ({
      connectionId,
      at: Number(at),
    }))
  }
})

describe('the example ids of docs/PROTOCOL.md', () => {
  const makers = { c: connectionIdOf, m: anonymousMemberIdOf, d: defaultConnectionIdOf }
  const rows = rowsOf('Identity and keys').flatMap(([, , example]) => {
    const [, of, key, id] = /^`([cmd]):([\w-]+)` → `([\w-]{16})`$/.exec(example!) ?? []
    return of ? [{ of: of as keyof typeof makers, key: key!, id: id! }] : []
  })

  test.each(rows)('the example ids of docs/PROTOCOL.md of $of:$key is $id', ({ of, key, id }) =>
    expect(makers[of](key)).toBe(id),
  )

  test('the example ids of docs/PROTOCOL.md are of three kinds: connection, member and default connection', () =>
    expect(rows.map(({ of }) => of)).toEqual(['c', 'm', 'd']))
})

describe('the events of docs/PROTOCOL.md', () => {
  const presence = z.object({ typing: z.boolean() }).partial()
  const schema = locationEvent({ location: cellLocation, profile: memberProfile, presence })
  const messages = blocks
    .filter(({ language, rest }) => language === 'text' && rest === 'event')
    .map(({ code }) => {
      const [, data = '', id = ''] = /^data: (.+)\nid: (.+)\n$/.exec(code) ?? []
      return { id, event: JSON.parse(data) as LocationEvent<CellTypes> }
    })

  test('docs/PROTOCOL.md shows an event of each of the seven types, and all match the schema', () => {
    expect(new Set(messages.map(({ event }) => event.type))).toEqual(
      new Set(['hello', 'snapshot', 'beat', 'changes', 'broadcast', 'degraded', 'bye']),
    )
    for (const { event } of messages) expect(schema.parse(event)).toEqual(event)
  })

  test('the events of docs/PROTOCOL.md have consecutive ids on one stream', () => {
    const view = new View<CellTypes>()
    for (const { id, event } of messages) expect(applyEvent(view, id, event).outcome, event.type).not.toBe('diverged')
    expect([...view.connections.values()]).toMatchObject([{ location: { sheet: 'Q3', row: 4, col: 3 } }])
    // Only `snapshot` and `changes` events advance the id of a stream.
    let held = messages[0]!.id
    for (const { id, event } of messages) {
      if (event.type === 'snapshot' || event.type === 'changes') held = id
      expect(id).toBe(held)
    }
  })

  test('a client ignores events with an unknown type and properties that it does not know, as docs/PROTOCOL.md says', () => {
    const view = new View<CellTypes>()
    const unknown = { type: 'weather', sky: 'blue' } as unknown as LocationEvent<CellTypes>
    expect(applyEvent(view, 'epoch-aaaaa.1', unknown)).toEqual({ outcome: 'ignored' })
    expect(schema.parse({ type: 'beat', count: 0, digest: '0'.repeat(16), sky: 'blue' })).toEqual({
      type: 'beat',
      count: 0,
      digest: '0'.repeat(16),
    })
  })
})

describe('the laws of docs/PROTOCOL.md', () => {
  const laws = (text.split('\n## Laws\n')[1] ?? '')
    .split('\n## ')[0]!
    .split(/\n(?=\d+\. )/)
    .slice(1)
    .map((law) => law.replaceAll(/\s+/g, ' '))

  test('the laws of docs/PROTOCOL.md are numbered from 1 without a gap', () =>
    expect(laws.map((law) => parseInt(law))).toEqual(laws.map((_law, i) => i + 1)))

  test.each(laws.map((law) => [/\*\*(.+?)\*\*/.exec(law)?.[1], law]))(
    'the tests that docs/PROTOCOL.md names for this law exist: %s',
    (_name, law) => {
      const named = law.split(/ - (?=`)/).slice(1)
      expect(named.length).toBeGreaterThan(0)
      for (const entry of named) {
        const [, file = '', titles = ''] = /^`((?:test|src\/testing)\/[\w/.-]+)`: (.+)$/.exec(entry.trim()) ?? []
        const source = readFileSync(join(root, file), 'utf8')
        const quoted = Array.from(titles.matchAll(/"([^"]+)"/g), ([, title]) => title!)
        expect(titles.replaceAll(/"[^"]+"|[, ]/g, ''), 'only titles, with commas between').toBe('')
        expect(quoted.length).toBeGreaterThan(0)
        for (const title of quoted) {
          const isThere = ["'", '"', '`'].some((quote) => source.includes(`${quote}${title}${quote}`))
          expect(isThere, `${file}: ${title}`).toBe(true)
        }
      }
    },
  )

  test('the laws of docs/PROTOCOL.md that the contract covers are run by it', () => {
    const cases = new Set(locationContract({ ...cells, url: '' }).map(({ name }) => name))
    for (const [, titles = ''] of laws.join(' ').matchAll(/`src\/testing\/[\w/.-]+`: ((?:"[^"]+"(?:, )?)+)/g))
      for (const [, title = ''] of titles.matchAll(/"([^"]+)"/g)) expect(cases, title).toContain(title)
  })
})

describe('the shell commands of docs/PROTOCOL.md', () => {
  // Heartbeats ten times as often as documented, so that no test waits for one. `likened` undoes the difference.
  const server = serveLocations({ timing: { beatMs: 1_000 } })
  let host: string
  beforeAll(async () => void (host = new URL((await server).url).host))
  afterAll(async () => (await server).close())

  const commands = blocks.flatMap((block, i) => (isCommand(block) ? [{ block, output: blocks[i + 1] }] : []))

  test('the shell commands of docs/PROTOCOL.md have their outputs on the page', () => {
    expect(commands.length).toBeGreaterThan(5)
    for (const { output } of commands) expect(output?.rest).toBe('output')
  })

  // The commands run in the order of the page, because each one depends on the state that the previous ones left.
  for (const { block, output } of commands)
    test(`PROTOCOL.md:${block.line} prints the documented output`, { timeout: 30_000 }, async () => {
      const shown = likened(output!.code)
      const script = block.code.replaceAll('localhost:3000', host)
      const said = await outputOf(script, (said) => likened(said) === shown)
      expect(likened(said)).toBe(shown)
    })

  test('the shell commands of docs/PROTOCOL.md get the documented headers', async () => {
    const response = await fetch(`http://${host}/trpc/onLocation?input=${encodeURIComponent('{"room":"headers"}')}`)
    await response.body?.cancel()
    expect(response.status).toBe(200)
    const lines = blocks
      .find(({ rest }) => rest === 'head')!
      .code.trim()
      .split('\n')
    expect(lines).toHaveLength(3)
    for (const line of lines) {
      const [name = '', value = ''] = line.split(': ')
      expect(response.headers.get(name)).toBe(value)
    }
  })

  test("the shell commands of docs/PROTOCOL.md get tRPC's own errors without a code of ours", async () => {
    const post = async (procedure: string, body: string, type = 'application/json') => {
      const headers = { 'content-type': type }
      const response = await fetch(`http://${host}/trpc/${procedure}`, { method: 'POST', headers, body })
      const { error } = (await response.json()) as { error: { message: string } }
      return { status: response.status, hasCode: /^[a-z-]+: /.test(error.message) }
    }
    expect(await post('postLocation', '{')).toEqual({ status: 400, hasCode: false })
    expect(await post('postLocations', '{}')).toEqual({ status: 404, hasCode: false })
    expect(await post('leaveRoom,'.repeat(8) + 'leaveRoom?batch=1', '{}')).toEqual({ status: 400, hasCode: false })
    expect(await post('postLocation', '{}', 'text/plain')).toEqual({ status: 415, hasCode: true })
  })
})

describe('a stock client', () => {
  test('a stock client that answers heartbeats in three lines stays present', { timeout: 20_000 }, async () => {
    await using server = await serveLocations({ timing: { scale: 1 / 20 } })
    const { stream } = (await imported('stock-client.ts', server.url)) as { stream: { unsubscribe(): void } }
    const count = () => server.hub.room('sheet-42').count()
    await until('the connection is shown', async () => (await count()) === 1)
    // Nine heartbeat intervals are as long as three leases.
    const watch = await fetch(`${server.url}/onLocation?input=${encodeURIComponent('{"room":"sheet-42"}')}`)
    let heard = ''
    for await (const bytes of watch.body!.pipeThrough(new TextDecoderStream())) {
      heard += bytes
      if (heard.split('"type":"beat"').length > 9) break
    }
    expect(heard).not.toContain('"left"')
    expect(await count()).toBe(1)
    stream.unsubscribe()
    await until('the connection is gone after it stopped posting', async () => (await count()) === 0)
  })
})

const isCommand = ({ language, rest }: Block) => language === 'sh' && (rest === 'run' || rest === 'refused')

/**
 * Returns the output of a command. A command without an end is killed after it printed the expected output and then a
 * heartbeat: a stream sends everything else that is due before its heartbeat.
 */
async function outputOf(script: string, isSaid: (said: string) => boolean): Promise<string> {
  let beatsBefore: number | undefined
  const { said } = await shell(script, (said) => {
    const beats = said().split('"type":"beat"').length
    if (isSaid(said())) beatsBefore ??= beats
    return beatsBefore !== undefined && beats > beatsBefore
  })
  return said
}

/** Replaces random and time-dependent values, so that outputs with the same structure become equal. */
function likened(output: string): string {
  const numbered = (what: string) => {
    const seen: string[] = []
    return (found: string) => {
      if (!seen.includes(found)) seen.push(found)
      return `${what}${seen.indexOf(found) + 1}`
    }
  }
  return (
    output
      .replaceAll('"beatMs":1000,', '"beatMs":10000,')
      .replaceAll(/"reconnectAfterInactivityMs":\d+/g, '"reconnectAfterInactivityMs":30000')
      .replaceAll(/data: \{"type":"beat".*\nid: .*\n\n\n/g, '')
      .replaceAll(/(?<=")[\w-]{11}(?=\.\d+")|(?<=^id: )[\w-]{11}(?=\.)/gm, numbered('epoch'))
      .replaceAll(/\b\d{16}\b/g, numbered('version'))
      .replaceAll(/(?<="connectionKey":")[\w-]{22}(?=")/g, numbered('key'))
      // Ids that are computed from a key on the page are not random, so they are kept and must be equal.
      .replaceAll(
        /(?<="(?:connectionId|memberId)":")(?!LaEwHhwjt5-ElOp3|aWe9UoLVjq739zP0)[\w-]{16}(?=")/g,
        numbered('id'),
      )
      .trimEnd()
  )
}

const folder = mkdtempSync(join(tmpdir(), 'hereabouts-protocol-'))
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs a code block of docs/PROTOCOL.md as a module. */
async function imported(name: string, url?: string): Promise<unknown> {
  const { code } = blocks.find(({ rest }) => rest === name)!
  const file = join(folder, name)
  writeFileSync(file, url ? code.replaceAll('http://localhost:3000/trpc', url) : code)
  return import(file)
}
