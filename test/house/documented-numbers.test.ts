import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cellLocation, memberProfile } from 'hereabouts'
import { createLocationHub } from 'hereabouts/server'
import { describe, expect, test } from 'vitest'
import { defaultLimits } from '../../src/server/options/limits.js'
import { defaultTiming } from '../../src/server/options/timing.js'
import { procedureInputs, procedureOutputs } from '../../src/shared/wire-schemas.js'
import { root } from '../support/snippets.js'

/*
 * The numbers and the lists of words in the prose of the docs. Each expected sentence is built from the values of the
 * code, so a page that is out of date does not contain it. protocol-doc.test.ts checks the tables of PROTOCOL.md.
 */

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const prose = (path: string) => read(path).replaceAll(/\s+/g, ' ')

/** Returns the value of a numeric constant that its file does not export. */
function constant(file: string, name: string): number {
  const value = new RegExp(`const ${name} = ([\\d_.]+)$`, 'm').exec(read(file))?.[1]
  if (value === undefined) throw new Error(`${file} has no constant ${name}.`)
  return Number(value.replaceAll('_', ''))
}

const written = (value: number) => value.toLocaleString('en-US')
const seconds = (ms: number) => String(ms / 1_000)
const minutes = (ms: number) => String(ms / 60_000)
const words: Record<number, string> = { 5: 'five', 10: 'ten', 15: 'fifteen', 20: 'twenty', 1_000: 'thousand' }
const word = (value: number) => words[value] ?? `no word for ${value}`

const t = defaultTiming
const l = defaultLimits
const silentBeats = Number(
  /after\(([\d.]+) \* context\(\)\.beatMs/.exec(read('src/client/connection/connection.ts'))?.[1],
)
const maxRooms = procedureInputs(schemas()).countMembers.shape.rooms
const roomsAtMost = Array.from({ length: 1_000 }, (_, i) => i + 1).filter(
  (count) => maxRooms.safeParse(Array.from({ length: count }, () => 'r')).success,
)

function schemas() {
  return { location: cellLocation, profile: memberProfile }
}

const sentences: Record<string, string[]> = {
  'docs/errors-and-offline.md': [
    `after ${silentBeats} heartbeats without a byte, ${seconds(silentBeats * t.beatMs)} seconds`,
    `${seconds(t.leaseMs)} seconds when you vanish without a trace, ${seconds(t.closedMs)} seconds when the server saw`,
    `for a heartbeat interval, ${seconds(t.beatMs)} seconds: a proxy holds it back`,
    `every ${seconds(t.beatMs * 0.2)} to ${seconds(t.beatMs * 0.5)} seconds`,
    `hung for ${seconds(t.beatMs / 4)} seconds or longer`,
  ],
  'docs/PROTOCOL.md': [
    `Heartbeats, which come every ${word(t.beatMs / 1_000)} seconds`,
    `It is kept for ${seconds(t.tombstoneMs)} seconds, so that a late post`,
    `or gone for more than ${seconds(t.tombstoneMs)} seconds`,
    `It is kept for ${seconds(t.tombstoneMs)} seconds, longer than any request lasts`,
    `${written(t.leaseMinMs)} to ${written(t.leaseMaxMs)}; when absent: ${written(t.leaseMs)}.`,
    `default 0; more than ${written(t.graceMaxMs)} counts as ${written(t.graceMaxMs)}`,
    `Input \`{ rooms }\`, at most ${roomsAtMost.at(-1)}.`,
    `cut to ${seconds(t.closedMs)} seconds`,
    `Expired leases are swept every ${t.sweepMs} ms`,
    `(${seconds(t.leaseMs + t.beatMs)} seconds by default)`,
    `silence for ${silentBeats} heartbeat intervals`,
    `| its stream closed | ${seconds(t.closedMs + 1_000)} s |`,
    `| without a trace | ${seconds(t.leaseMs + 1_000)} s |`,
    `\`leaseMs: ${t.leaseMaxMs}\` keeps it present for ${word(t.leaseMaxMs / 60_000)} minutes`,
    `after ${minutes(0.8 * t.rotateMs)} to ${minutes(t.rotateMs)} minutes`,
    `its streams are cut one by one over ${seconds(t.drainMs)} seconds`,
    `there are at most ${written(constant('src/server/rules/tombstones.ts', 'maxUnseen'))} of them`,
    `how long a stream lives: this, times 0.8 to 1`,
  ],
  'docs/operating.md': [
    `near \`limits.streams\` (${written(l.streams)})`,
    `above \`limits.sockets\` (${written(l.sockets)})`,
    `uses ${constant('src/server/standalone/socket-limit.ts', 'reserved')} less than there are`,
    `cut over ${seconds(t.drainMs)} seconds`,
    `frames are more than ${t.frameMaxMs} ms apart`,
    `for over a second in the last ${word(constant('src/server/standalone/event-loop-lag.ts', 'rememberedMs') / 1_000)})`,
    `at most every ${word(constant('src/server/standalone/socket-limit.ts', 'quietMs') / 1_000)} seconds: all of`,
    `at most every ${word(constant('src/server/access/rate-limits.ts', 'quietMs') / 1_000)} seconds for each kind`,
  ],
  'docs/deploying.md': [
    `ends its own over ${seconds(t.drainMs)} seconds`,
    `a heartbeat interval, ${word(t.beatMs / 1_000)} seconds`,
    `Streams and sockets are silent for ${word(t.beatMs / 1_000)} seconds at most`,
  ],
  'docs/security.md': [
    `gets an error within ${seconds(t.hookMs)} seconds`,
    `with \`authorize\` again every ${seconds(t.recheckMs)} seconds`,
    `an address may do each ${word(l.addressTimes)} times as often`,
    `holds ${l.memberRooms} rooms at most`,
  ],
}

describe('numbers in the docs', () => {
  for (const [page, each] of Object.entries(sentences))
    test.each(each)(`${page} says what the code does: %s`, (sentence) => expect(prose(page)).toContain(sentence))
})

/** Returns the words in `code` style within a part of a page. */
function listed(page: string, from: string, to: string): string[] {
  const [, rest = ''] = read(page).split(from)
  return Array.from(rest.split(to)[0]!.matchAll(/`([a-z-]+)`/g), ([, name]) => name!)
}
const firstCells = (text: string) => Array.from(text.matchAll(/^\| `([a-z-]+)` +\|/gm), ([, name]) => name!)

describe('lists of words in the docs', () => {
  const outputs = procedureOutputs(schemas())
  const eventOf = (type: string) => outputs.onLocation.options.find(({ shape }) => shape.type.value === type)!.shape
  const enumOf = (schema: unknown) => (schema as { options: string[] }).options.toSorted()
  const section = (title: string) => read('docs/PROTOCOL.md').split(`\n## ${title}\n`)[1]!.split('\n## ')[0]!
  const byeReasons = enumOf((eventOf('bye') as unknown as { reason: unknown }).reason)

  test('docs/PROTOCOL.md lists the durations that may be 0', () => {
    const [, sentence = ''] = prose('docs/PROTOCOL.md').split('These may be 0: ')
    const named = Array.from(sentence.split('. ')[0]!.matchAll(/`(\w+)`/g), ([, name]) => name!)
    const isTaken = (name: string) => {
      try {
        createLocationHub({ location: cellLocation, timing: { [name]: 0 } })
        return true
      } catch {
        return false
      }
    }
    expect(named.toSorted()).toEqual(Object.keys(t).filter(isTaken).toSorted())
  })

  test('docs/PROTOCOL.md lists the reasons of bye that the schema has', () => {
    const [, ...named] = firstCells(section('How streams end'))
    expect(named.toSorted()).toEqual(byeReasons)
  })

  test('docs/PROTOCOL.md lists the outcomes of a post that the schema has', () => {
    const bullets = Array.from(section('Procedures').matchAll(/^- `(\w+)`: /gm), ([, name]) => name!)
    expect(bullets.toSorted()).toEqual(enumOf((outputs.postLocation.shape as { outcome: unknown }).outcome))
  })

  test('docs/PROTOCOL.md lists the outcomes of a leave that the schema has', () => {
    const named = listed('docs/PROTOCOL.md', 'The output is `{ outcome }`:', 'when a grace period')
    expect(named.toSorted()).toEqual(enumOf(outputs.leaveRoom.shape.outcome))
  })

  test('docs/PROTOCOL.md lists the reasons of a connection that left that the schema has', () => {
    const named = listed('docs/PROTOCOL.md', '`left`, the `reason` is', 'An empty list')
    const { reason } = (
      eventOf('changes') as unknown as { left: { unwrap(): { element: { shape: { reason: unknown } } } } }
    ).left // prettier-ignore
      .unwrap().element.shape
    expect(named.toSorted()).toEqual(enumOf(reason))
  })

  test('each value of hub.health() that docs/operating.md lists exists in the code', () => {
    const source = read('src/server/standalone/event-loop-lag.ts') + read('src/server/standalone/server.ts') + read('src/server/hub/hub.ts') // prettier-ignore
    for (const name of listed('docs/operating.md', '`hub.health()` returns', '\n'))
      expect(source).toContain(`'${name}'`)
  })

  test('the reasons of hereabouts_stream_ends_total in docs/operating.md are reasons of bye', () => {
    const row = read('docs/operating.md').split('hereabouts_stream_ends_total{why}`')[1]!.split('\n')[0]!
    const named = Array.from(row.matchAll(/`(\w+)`/g), ([, name]) => name!)
    expect(named.length).toBeGreaterThan(2)
    expect(byeReasons).toEqual(expect.arrayContaining(named))
  })

  test('the error codes of hereabouts_calls_total in docs/operating.md are error codes of the code', () => {
    const row = read('docs/operating.md').split('hereabouts_calls_total{procedure,outcome}`')[1]!.split('\n')[0]!
    const codes = Array.from(read('src/shared/errors.ts').matchAll(/^ {2}\| '([\w-]+)'$/gm), ([, code]) => code!)
    const named = Array.from(row.matchAll(/`([a-z-]+)`/g), ([, name]) => name!).filter((name) => name !== 'identify')
    expect(named.length).toBeGreaterThan(2)
    expect(codes).toEqual(expect.arrayContaining(named))
  })
})

describe('the folders and files that ARCHITECTURE.md names', () => {
  const page = read('docs/ARCHITECTURE.md')
  const foldersIn = (path: string) =>
    readdirSync(join(root, path), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []))
  const table = (from: string, to: string) =>
    Array.from(
      page
        .split(from)[1]!
        .split(to)[0]!
        .matchAll(/^\| `([\w/]+)` +\|/gm),
      ([, name]) => name!,
    )

  test.each([
    ['src/server', 'Inside `src/server`', 'Inside `src/client`'],
    ['src/client', 'Inside `src/client`', '## The path of a post'],
  ])('ARCHITECTURE.md lists every folder of %s in its table, and no other folder', (path, from, to) => {
    const named = table(from, to)
    expect(named.filter((name) => !name.includes('/')).toSorted()).toEqual(foldersIn(path).toSorted())
    for (const name of named) expect(existsSync(join(root, path, name)), name).toBe(true)
  })

  test('every folder of src is in the first table of ARCHITECTURE.md, and no other folder is', () => {
    const named = Array.from(page.matchAll(/^\| `src\/(\w+)` +\|/gm), ([, name]) => name!)
    expect(named.toSorted()).toEqual(foldersIn('src').toSorted())
  })

  test('every source file that is in bold in ARCHITECTURE.md exists', () => {
    const named = Array.from(page.matchAll(/\*\*`([\w/-]+)`/g), ([, name]) => name!)
    expect(named.length).toBeGreaterThan(20)
    const folders = ['src', 'src/server', 'src/client', 'src/server/backends/redis', 'src/server/http']
    const isThere = (name: string) =>
      folders.some((folder) => ['ts', 'tsx'].some((ext) => existsSync(join(root, folder, `${name}.${ext}`))))
    expect(named.filter((name) => !isThere(name))).toEqual([])
  })
})
