import { demand, isSame } from './demand.js'
import { newKey, type Answer, type Wire } from './http-client.js'

/** Cases about invalid input, which is rejected with a code and a sentence and changes nothing. */
export const inputCases = {
  async 'a location that fails its schema is rejected'(wire: Wire) {
    const { badLocation } = wire.target
    await refusesAll(wire, 'postLocation', {}, [{ location: badLocation }, { location: undefined }])
  },

  async 'an input with an unknown property is rejected'(wire: Wire) {
    const unknown = [{ memberId: 'someone' }, { connectionId: 'AAAAAAAAAAAAAAAA' }, { at: 1 }, { x: null }]
    await refusesAll(wire, 'postLocation', { location: wire.location(0) }, unknown)
    await refusesAll(wire, 'leaveRoom', { connectionKey: newKey() }, unknown)
    await refusesAll(wire, 'getLocations', {}, unknown)
  },

  async 'a room id is 1 to 128 visible characters'(wire: Wire) {
    const bad = [
      '',
      'x'.repeat(129),
      '🙂'.repeat(129),
      'a\nb',
      'a\u0000',
      '\u202eabc',
      'a\u200bb',
      ' ',
      'a\u200db',
      '\ud800',
      7,
      null,
    ]
    const rooms = bad.map((room) => ({ room }))
    await refusesAll(wire, 'postLocation', { location: wire.location(0) }, rooms)
    await refusesAll(wire, 'getLocations', {}, rooms)
    // The emoji of a family and the Persian word contain joiners; the last id is not in normal form C yet.
    const good = ['x', 'x'.repeat(128), '🙂'.repeat(128), '\u{1f468}\u200d\u{1f467}', '\u0634\u200c\u0647', 'e\u0301']
    for (const room of good) {
      const { refusal } = await wire.query('getLocations', { room })
      demand(!refusal, 'a room id is 1 to 128 visible characters.', { room, refusal })
    }
  },

  async 'a key is exactly 22 base64url characters'(wire: Wire) {
    const bad = ['', 'A'.repeat(21), 'A'.repeat(23), `${'A'.repeat(21)}+`, `${'A'.repeat(21)}=`, 1].map((key) => ({
      connectionKey: key,
    }))
    await refusesAll(wire, 'postLocation', { location: wire.location(0) }, bad)
    const { connectionKey: made } = await wire.post({ room: wire.newRoom() })
    // An identified member has a default connection, and may leave it without a key.
    await refusesAll(wire, 'leaveRoom', {}, made === undefined ? bad : [...bad, {}])
  },

  async 'numbers out of range, unknown activities and short keys are rejected'(wire: Wire) {
    const { leaseMinMs, leaseMaxMs } = wire.timing
    await refusesAll(wire, 'postLocation', { location: wire.location(0), connectionKey: newKey() }, [
      { seq: -1 },
      { seq: 0.5 },
      { seq: '1' },
      { seq: 2 ** 53 },
      { activity: 'asleep' },
      { leaseMs: leaseMinMs - 1 },
      { leaseMs: leaseMaxMs + 1 },
      { memberKey: 'short' },
    ])
    await refusesAll(wire, 'leaveRoom', { connectionKey: newKey() }, [{ graceMs: -1 }, { seq: -1 }, { graceMs: '1' }])
  },

  async 'a body that is not a JSON object is rejected'(wire: Wire) {
    const bodies = ['{', '', 'null', '7', '[]', '"x"', '{"room":']
    for (const body of bodies) isRefused(await wire.mutate('postLocation', body), body)
  },

  async 'onLocation answers bad input with status 200 and a serialized-error message'(wire: Wire) {
    const bad = [{}, { room: '' }, { room: wire.newRoom(), connectionKey: 'short' }, { room: wire.newRoom(), x: 1 }]
    for (const input of bad) {
      await using stream = await wire.open(input)
      const message = await stream.message()
      const rule = 'onLocation rejects input with status 200 and a serialized-error, as tRPC does.'
      demand(message?.event === 'serialized-error', rule, message)
      demand(message.data.includes('BAD_REQUEST') && !message.data.includes('"stack"'), rule, message)
    }
  },

  async 'an unknown procedure is answered NOT_FOUND'(wire: Wire) {
    const { refusal } = await wire.query('getSecrets', {})
    demand(refusal?.code === 'NOT_FOUND', 'an unknown procedure is NOT_FOUND.', refusal)
  },
}

/** Checks that every bad input is rejected and that the room stays empty. */
async function refusesAll(wire: Wire, procedure: string, good: object, bad: object[]): Promise<void> {
  const room = wire.newRoom()
  const isQuery = procedure === 'getLocations'
  for (const wrong of bad) {
    const input = { room, ...good, ...wrong }
    isRefused(await (isQuery ? wire.query(procedure, input) : wire.mutate(procedure, input)), input)
  }
  const { event } = await wire.get({ room })
  demand(event.type === 'snapshot' && isSame(event.connections, []), 'a rejected input changes nothing.', event)
}

function isRefused({ status, refusal }: Answer, input: unknown): void {
  demand(status === 400 && refusal?.code === 'BAD_REQUEST', 'bad input is answered 400 and BAD_REQUEST.', {
    input,
    status,
    refusal,
  })
  demand(/\S+ \S+/.test(refusal.message), 'an error message is a sentence.', refusal)
  demand(!refusal.body.includes('"stack"'), 'no error contains a stack trace.', refusal)
}
