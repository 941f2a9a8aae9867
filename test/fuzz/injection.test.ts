import fc from 'fast-check'
import { createLocationHub } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { Hub } from '../../src/server/hub/hub.js'
import { posting } from '../support/histories.js'
import { inParts, runsOf } from '../support/fuzz-runs.js'

/* A subscriber receives every name unchanged, and no event that the name tried to inject. */

const runs = runsOf(100_000)
const batch = 100

/** Parses events from bytes exactly as HTML §9.2.6 defines. */
function eventsOf(bytes: Uint8Array) {
  const events = []
  let [type, data, id] = ['', '', '']
  for (const line of new TextDecoder('utf-8', { fatal: true }).decode(bytes).split(/\r\n|\r|\n/)) {
    if (line === '') {
      if (data !== '') events.push({ type: type || 'message', data: data.slice(0, -1), id })
      ;[type, data] = ['', '']
      continue
    }
    if (line.startsWith(':')) continue
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!
    if (field === 'event') type = value
    else if (field === 'data') data += `${value}\n`
    else if (field === 'id' && !value.includes('\0')) id = value
    else throw new Error(`the stream has an unexpected SSE field: ${JSON.stringify(line)}`)
  }
  return events
}

const serializer = { serialize: (value: unknown) => value }
const injections = [
  '\n\n',
  '\r',
  '\r\ndata: x',
  '\u2028',
  '\u2029',
  '\u0085',
  '\u0000',
  ': ',
  'event: return\n',
  'data: {}\n\n',
  'id: 1',
  'retry: 1',
  '\ufeff',
  '"}',
  '\\',
  '</script>',
]
const name = fc
  .array(fc.oneof(fc.constantFrom(...injections), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })), {
    maxLength: 6,
  })
  .map((parts) => parts.join(''))
  .filter((text) => !/\p{Cs}/u.test(text))

test(`${runs} names and locations with SSE syntax in them reach a subscriber unchanged`, { timeout: 0 }, async () => {
  const clock = manualClock()
  const hub = createLocationHub({
    location: z.string(),
    profile: z.string(),
    clock,
    limits: { locationBytes: 1e5, profileBytes: 1e5, memberConnections: batch },
  })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub gave a hub that is not a Hub')
  const stream = await hub.subscribe('r', { connectionId: null, memberId: null, lastEventId: null, expiresAt: null, recheck: async () => true }) // prettier-ignore
  let seq = 0
  const shown = fc.asyncProperty(
    fc.array(fc.tuple(name, name), { minLength: batch, maxLength: batch }),
    async (names) => {
      seq += 1
      const sent = names.map(([location, profile], i) => ({ connectionId: `c${i}`, location, profile }))
      const answers = sent.map(({ connectionId, location, profile }) => {
        const own = { location: hub.keepLocation(location), profile: hub.keepProfile(profile) }
        return hub.act('r', posting(connectionId, seq, null, own))
      })
      await clock.advance(300)
      await Promise.all(answers)
      const seen = new Map<string, { location?: string; profile?: string }>()
      for (let frame = stream.take(); frame; frame = stream.take()) {
        const events = eventsOf(frame.encoded(serializer).body)
        expect(events).toHaveLength(1)
        expect(events[0]).toMatchObject({ type: 'message', id: frame.id })
        const event = JSON.parse(events[0]!.data) as { connections?: []; entered?: []; changed?: [] }
        for (const shown of [...(event.connections ?? []), ...(event.entered ?? []), ...(event.changed ?? [])] as {
          connectionId: string
        }[])
          // prettier-ignore
          seen.set(shown.connectionId, { ...seen.get(shown.connectionId), ...shown })
      }
      for (const { connectionId, location, profile } of sent) {
        const shown = seen.get(connectionId)
        // A frame leaves out a location or profile that did not change.
        if (shown?.location !== undefined) expect(shown.location).toBe(location)
        if (shown?.profile !== undefined) expect(shown.profile).toBe(profile)
      }
      const { event } = await hub.use('r', ({ frames }) => frames.snapshot())
      const kept = new Map(
        (event.type === 'snapshot' ? event.connections : []).map((each) => [each.connectionId, each]),
      )
      for (const { connectionId, ...shown } of sent) expect(kept.get(connectionId)).toMatchObject(shown)
    },
  )
  await inParts(runs, 10 * batch, ({ seed, numRuns }) =>
    fc.assert(shown, { seed, numRuns: Math.ceil(numRuns / batch) }),
  )
  await hub.close()
})
