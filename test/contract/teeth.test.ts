import { locationContract, serveLocations } from 'hereabouts/testing'
import { afterAll, test } from 'vitest'
import { faultProxy, type Call, type Faults, type Reply } from '../support/network/fault-proxy.js'
import { cells, fastTiming, features, targetTiming } from './target.js'

/*
 * Checks that the contract detects violations. Each server here has exactly one defect, and the case about that
 * behaviour must fail.
 */

const server = await serveLocations({ timing: fastTiming, ...features })
afterAll(() => server.close())

type Wrong = { does: string; faults: () => Faults; caughtBy: string; saying: RegExp }

const answers = (change: (body: string, call: Call) => string): Faults['call'] => {
  return async (call, pass) => {
    const reply = await pass(call)
    return { ...reply, body: change(reply.body, call) }
  }
}
const outcome = (from: string, to: string) => () => ({
  call: answers((body) => body.replace(`"outcome":"${from}"`, `"outcome":"${to}"`)),
})
/** Changes the input of a mutation before the server sees it. */
const inputs =
  (change: (input: Record<string, unknown>, call: Call) => object): Faults['call'] =>
  async (call, pass): Promise<Reply> => {
    if (!call.body.startsWith('{"')) return pass(call)
    return pass({ ...call, body: JSON.stringify(change(JSON.parse(call.body) as Record<string, unknown>, call)) })
  }
/** Returns a fault that changes each entry of `changed` in the frames of a stream. */
const entries =
  (change: (entry: Record<string, unknown>) => object): Faults['event'] =>
  (event) =>
    event.replace(/^data: .*"type":"changes".*$/m, (line) => {
      const frame = JSON.parse(line.slice('data: '.length)) as { changed?: Record<string, unknown>[] }
      return `data: ${JSON.stringify({ ...frame, ...(frame.changed && { changed: frame.changed.map(change) }) })}`
    })
const isChanges = (event: string) => event.includes('"type":"changes"')
const isBroadcast = (event: string) => event.includes('"type":"broadcast"')
const success = (data: object): Reply => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ result: { data } }),
})
/**
 * Returns a fault that answers the calls of a procedure which the server refuses with this status as if it had accepted
 * them.
 */
const accepts = (procedure: string, status: number, data: object) => (): Faults => ({
  async call(call, pass) {
    const reply = await pass(call)
    return call.procedure === procedure && reply.status === status ? success(data) : reply
  },
})
/**
 * Returns a fault that changes the answers of `lockLocation` with the outcome `from`, once the procedure `since` was
 * called.
 */
const lockAnswers = (from: string, to: object, since?: string) => (): Faults => {
  let isDue = since === undefined
  return {
    async call(call, pass) {
      isDue ||= call.procedure === since
      const reply = await pass(call)
      const isChanged = isDue && call.procedure === 'lockLocation' && reply.body.includes(`"outcome":"${from}"`)
      return isChanged && !reply.body.includes('"holder":null') ? success(to) : reply
    },
  }
}
const granted = { outcome: 'locked', fence: 9_000_000_000_000_000 }
const stillTaken = { outcome: 'taken', holder: { memberId: 'm', connectionId: 'c' } }

const wrongs: Wrong[] = [
  {
    does: 'sends no hello at the beginning of a stream',
    faults: () => ({ event: (event) => (event.includes('"type":"hello"') ? '' : event) }),
    caughtBy: 'a stream begins with hello and a snapshot',
    saying: /begins with hello/,
  },
  {
    does: 'drops a frame',
    faults: () => {
      let seen = 0
      return { event: (event) => (isChanges(event) && seen++ === 0 ? '' : event) }
    },
    caughtBy: 'a viewer receives each enter, move and leave as changes from the id that it holds',
    saying: /changes\.from is the id that the viewer holds|only snapshot and changes advance/,
  },
  {
    does: 'sends an old frame again',
    faults: () => {
      let first = ''
      return {
        event(event) {
          if (!isChanges(event)) return event
          const twice = first + event
          first ||= event
          return twice
        },
      }
    },
    caughtBy: 'a viewer receives each enter, move and leave as changes from the id that it holds',
    saying: /changes\.from is the id that the viewer holds/,
  },
  {
    does: 'omits `from` in its changes',
    faults: () => ({ event: (event) => event.replace(/"from":"[^"]*",?/, '') }),
    caughtBy: 'a viewer converges to the newest location of every connection that posts concurrently',
    saying: /changes\.from is the id that the viewer holds/,
  },
  {
    does: 'sends event ids that do not advance',
    faults: () => ({ event: (event) => event.replace(/\nid: ([\w-]+)\.\d+\n/, '\nid: $1.1\n') }),
    caughtBy: 'a viewer receives each enter, move and leave as changes from the id that it holds',
    saying: /versions strictly increase|changes\.from/,
  },
  {
    does: 'sends a location that nobody posted',
    faults: () => ({ event: (event) => (isChanges(event) ? event.replace('"row":2', '"row":77') : event) }),
    caughtBy: 'a viewer receives each enter, move and leave as changes from the id that it holds',
    saying: /changed has the new location/,
  },
  {
    does: 'sends a wrong count in its heartbeats',
    faults: () => ({ event: (event) => event.replace('"count":3', '"count":4') }),
    caughtBy: 'a heartbeat carries the number and the digest of the connections',
    saying: /count and digest/,
  },
  {
    does: 'sends a wrong digest in its heartbeats',
    faults: () => ({ event: (event) => event.replace(/"digest":"\w/, '"digest":"z') }),
    caughtBy: 'a heartbeat carries the number and the digest of the connections',
    saying: /count and digest/,
  },
  {
    does: 'sends no heartbeats',
    faults: () => ({ event: (event) => (event.includes('"type":"beat"') ? '' : event) }),
    caughtBy: 'a heartbeat comes at every interval of beatMs',
    saying: /a heartbeat comes every beatMs/,
  },
  {
    does: 'ignores lastEventId in the input',
    faults: () => ({ open: (call) => ({ ...call, path: call.path.replace('lastEventId', 'connectionKey') }) }),
    caughtBy: 'a viewer that resumes at the head is sent no frame before the next change',
    saying: /stream sends events|hello carries the id/,
  },
  {
    does: 'ignores the Last-Event-ID header',
    faults: () => ({ open: ({ headers: { 'last-event-id': _id, ...headers }, ...call }) => ({ ...call, headers }) }),
    caughtBy: 'a stream resumes from the id in the Last-Event-ID header, as a browser sends it',
    saying: /Last-Event-ID header resumes/,
  },
  {
    does: 'sends the event id of the request in its hello',
    faults() {
      let given = ''
      return {
        open(call) {
          given = /"lastEventId":"([^"]+)"/.exec(decodeURIComponent(call.path))?.[1] ?? ''
          return call
        },
        event: (event) =>
          event.includes('"type":"hello"') && given ? event.replace(/\nid: .*\n/, `\nid: ${given}\n`) : event,
      }
    },
    caughtBy: 'malformed and forged ids are answered with a snapshot, never with an error',
    saying: /epoch\.0|an id is epoch\.version/,
  },
  {
    does: 'answers `applied` instead of `stale`',
    faults: outcome('stale', 'applied'),
    caughtBy: 'a newer seq is answered applied, an equal one same, a lower one stale',
    saying: /room rule 1/,
  },
  {
    does: 'ignores the seq of a post',
    faults: () => ({ call: inputs(({ seq: _seq, ...input }) => input) }),
    caughtBy: 'a post with an equal or lower seq is never shown',
    saying: /never sees a member jump back/,
  },
  {
    does: 'answers `applied` instead of `same`',
    faults: outcome('same', 'applied'),
    caughtBy: 'a post with unchanged content makes no frame, and its seq is stored',
    saying: /room rule 6/,
  },
  {
    does: 'omits presence values from its frames',
    faults: () => ({ event: entries(({ presence: _presence, ...entry }) => entry) }),
    caughtBy: 'a posted presence value is shown in snapshots and changes, and kept when a post leaves it out',
    saying: /a frame carries the changed presence value/,
  },
  {
    does: 'omits presence values from snapshots',
    faults: () => ({
      call: answers((body, call) => (call.procedure === 'getLocations' ? body.replace('"presence"', '"x"') : body)),
    }),
    caughtBy: 'a posted presence value is shown in snapshots and changes, and kept when a post leaves it out',
    saying: /a snapshot carries the posted presence value/,
  },
  {
    does: 'removes the presence value at a post without one',
    faults: () => ({
      call: inputs((input, call) => (call.procedure === 'postLocation' ? { presence: {}, ...input } : input)),
    }),
    caughtBy: 'a posted presence value is shown in snapshots and changes, and kept when a post leaves it out',
    saying: /a post without a presence value keeps the one before/,
  },
  {
    does: 'omits presence values from the features in hello',
    faults: () => ({ event: (event) => event.replace('"presence",', '') }),
    caughtBy: 'a posted presence value is shown in snapshots and changes, and kept when a post leaves it out',
    saying: /hello lists presence/,
  },
  {
    does: 'omits the removed keys of presence values from its frames',
    faults: () => ({ event: entries(({ presenceCleared: _cleared, ...entry }) => entry) }),
    caughtBy: 'frames that change or remove keys of a presence value lead to the same view as a snapshot',
    saying: /frames of a presence value lead to the view/,
  },
  {
    does: 'omits from a merged frame that it replaces the presence value',
    faults: () => ({ call: answers((body) => body.replace(',"presenceReset":true', '')) }),
    caughtBy: 'frames that change or remove keys of a presence value lead to the same view as a snapshot',
    saying: /a merged frame leads to the view/,
  },
  {
    does: 'accepts and drops presence values that are no object',
    faults: () => ({
      call: inputs(({ presence: value, ...input }) => (Array.isArray(value) ? input : { ...input, presence: value })),
    }),
    caughtBy: 'a presence value is an object of at most 32 keys and 2 KiB',
    saying: /not an object is answered BAD_REQUEST/,
  },
  {
    does: 'shows presence values that are too large',
    faults() {
      let large = ''
      return {
        async call(call, pass) {
          const [value] = /\{"k0".*?\}/.exec(call.body) ?? []
          large ||= value ?? ''
          const reply = await pass(value ? { ...call, body: call.body.replace(value, '{"typing":true}') } : call)
          return { ...reply, body: reply.body.replace('{"typing":true}', large || '{"typing":true}') }
        },
      }
    },
    caughtBy: 'a presence value is an object of at most 32 keys and 2 KiB',
    saying: /of more than 32 keys or 2 KiB is never shown/,
  },
  {
    does: 'omits broadcasts from the features in hello',
    faults: () => ({ event: (event) => event.replace('"broadcasts",', '') }),
    caughtBy: 'each open stream receives each broadcast once, in the order of sending, with its current id',
    saying: /hello lists broadcasts/,
  },
  {
    does: 'sends each broadcast twice',
    faults: () => ({ event: (event) => (isBroadcast(event) ? event + event : event) }),
    caughtBy: 'each open stream receives each broadcast once, in the order of sending, with its current id',
    saying: /gets the broadcasts once/,
  },
  {
    does: 'omits the sender of a broadcast',
    faults: () => ({
      event: (event) => (isBroadcast(event) ? event.replace(/"memberId":"[^"]*"/g, '"memberId":null') : event),
    }),
    caughtBy: 'each open stream receives each broadcast once, in the order of sending, with its current id',
    saying: /names its broadcast, its sender/,
  },
  {
    does: 'sends a broadcast again on streams that open later',
    faults() {
      let last = ''
      return {
        event(event) {
          if (isBroadcast(event)) last = event
          if (!event.includes('"type":"hello"') || !last) return event
          const [id] = /^id: .*$/m.exec(event)!
          return event + last.replace(/^id: .*$/m, id)
        },
      }
    },
    caughtBy: 'a broadcast changes nothing in the room, and is not repeated on a stream that opens later or resumes',
    saying: /never sent to a stream that opened after it|sends a snapshot after hello/,
  },
  {
    does: 'sends a broadcast for one member to everybody',
    faults: () => ({ call: inputs(({ to: _to, ...input }) => input) }),
    caughtBy: 'a broadcast to one member reaches the streams of that member alone',
    saying: /the member that `to` names/,
  },
  {
    does: 'answers `sent` to a broadcast of a connection that is not in the room',
    faults: outcome('absent', 'sent'),
    caughtBy: 'a connection that is not in the room sends nothing and is answered absent',
    saying: /is answered absent/,
  },
  {
    does: 'accepts broadcasts with bad input',
    faults: accepts('broadcastToRoom', 400, { outcome: 'sent' }),
    caughtBy: 'a broadcast with a wrong payload, name or field is refused and reaches nobody',
    saying: /bad input is answered BAD_REQUEST/,
  },
  {
    does: 'has no rate limit for broadcasts',
    faults: accepts('broadcastToRoom', 429, { outcome: 'sent' }),
    caughtBy: 'a member who sends more broadcasts than allowed is answered rate-limited, with the time to wait',
    saying: /may send `burst` broadcasts at once/,
  },
  {
    does: 'omits the duration of locks from hello',
    faults: () => ({ event: (event) => event.replace(/,"locks":\{[^}]*\}/, '') }),
    caughtBy: 'a locked place is answered taken to every other connection, and viewers see its holder',
    saying: /hello lists locks/,
  },
  {
    does: 'grants a place that another connection has locked',
    faults: lockAnswers('taken', granted),
    caughtBy: 'a locked place is answered taken to every other connection, and viewers see its holder',
    saying: /answered taken, with its holder/,
  },
  {
    does: 'omits locks from its frames',
    faults: () => ({ event: (event) => event.replace(/,"locks":\[.*?\]/g, '') }),
    caughtBy: 'a locked place is answered taken to every other connection, and viewers see its holder',
    saying: /a frame shows a lock/,
  },
  {
    does: 'answers a repeated lock call with a new fence',
    faults() {
      let count = 0
      return {
        call: answers((body, call) =>
          call.procedure === 'lockLocation'
            ? body.replace(/"fence":(\d+)/, (_, fence) => `"fence":${Number(fence) + (count += 1)}`)
            : body,
        ),
      }
    },
    caughtBy: 'a repeated lock call is answered with the same fence, and a call with a lower lockSeq is stale',
    saying: /a repeated call is answered with the same fence/,
  },
  {
    does: 'ignores lockSeq',
    faults() {
      let count = 1_000
      return {
        call: inputs(({ lockSeq, ...input }) => ({
          ...input,
          ...(lockSeq !== undefined && { lockSeq: (count += 1) }),
        })),
      }
    },
    caughtBy: 'a repeated lock call is answered with the same fence, and a call with a lower lockSeq is stale',
    saying: /lower lockSeq is answered stale/,
  },
  {
    does: 'ends a lock at an unlock with another fence',
    faults() {
      let fence = 0
      return {
        async call(call, pass) {
          const isUnlock = call.procedure === 'unlockLocation'
          const reply = await pass(
            isUnlock ? { ...call, body: call.body.replace(/"fence":\d+/, `"fence":${fence}`) } : call,
          )
          fence = Number(/"fence":(\d+)/.exec(reply.body)?.[1] ?? fence)
          return reply
        },
      }
    },
    caughtBy: 'an unlock with another fence changes nothing and is answered gone with the holder',
    saying: /answered gone with the holder/,
  },
  {
    does: 'keeps the locks of a connection that has left',
    faults: lockAnswers('locked', stillTaken, 'leaveRoom'),
    caughtBy: 'the locks of a connection end in the frame in which it leaves',
    saying: /free at once/,
  },
  {
    does: 'grants a place to a connection that is leaving',
    faults: lockAnswers('absent', granted),
    caughtBy: 'a leaving connection gets no lock, and its place is free for another connection of the member',
    saying: /a connection that is leaving takes no place/,
  },
  {
    does: 'refuses a member the place of their own connection that is leaving',
    faults: lockAnswers('locked', stillTaken, 'leaveRoom'),
    caughtBy: 'a leaving connection gets no lock, and its place is free for another connection of the member',
    saying: /other connection gets the place of a leaving connection/,
  },
  {
    does: 'takes a place over at a call without `takeOver`',
    faults: () => ({
      call: inputs((input, call) => (call.procedure === 'lockLocation' ? { ...input, takeOver: true } : input)),
    }),
    caughtBy: 'takeOver takes a place from a live connection of the same member',
    saying: /without takeOver/,
  },
  {
    does: 'ignores takeOver',
    faults: () => ({ call: inputs(({ takeOver: _takeOver, ...input }) => input) }),
    caughtBy: 'takeOver takes a place from a live connection of the same member',
    saying: /takeOver takes the place of the same member/,
  },
  {
    does: 'lets another member take a place over',
    faults: () => {
      let grants = 0
      return {
        async call(call, pass) {
          const reply = await pass(call)
          if (call.procedure !== 'lockLocation') return reply
          if (reply.body.includes('"locked"')) grants += 1
          return grants === 2 && reply.body.includes('"taken"') ? success(granted) : reply
        },
      }
    },
    caughtBy: 'takeOver takes a place from a live connection of the same member',
    saying: /takes nothing from another member/,
  },
  {
    does: 'grants a place to a connection that is not in the room',
    faults: lockAnswers('absent', granted),
    caughtBy: 'a lock call of a connection that is not in the room is answered absent, and bad input is refused',
    saying: /not in the room takes no place/,
  },
  {
    does: 'accepts lock calls with bad input',
    faults: accepts('lockLocation', 400, { outcome: 'stale' }),
    caughtBy: 'a lock call of a connection that is not in the room is answered absent, and bad input is refused',
    saying: /bad input of lockLocation/,
  },
  {
    does: 'lets a connection lock any number of places',
    faults: lockAnswers('full', granted),
    caughtBy: 'a connection that holds perConnection places is answered full',
    saying: /is answered full/,
  },
  {
    does: 'omits the end of a lock from its frames',
    faults: () => ({ event: (event) => event.replace(',"locks":[]', '') }),
    caughtBy: 'a lock ends lockMs after the last accepted post of its holder, whatever its lease is',
    saying: /a lock ends lockMs after/,
  },
  {
    does: 'ignores `used` in posts',
    faults: () => ({ call: inputs(({ used: _used, ...input }) => input) }),
    caughtBy: 'a post with used: true makes its connection speak for its member',
    saying: /a post with used: true is applied/,
  },
  {
    does: 'omits `activeAt` from its frames',
    faults: () => ({ event: entries(({ activeAt: _activeAt, ...entry }) => entry) }),
    caughtBy: 'a post with used: true makes its connection speak for its member',
    saying: /a post with used: true makes its connection speak/,
  },
  {
    does: 'counts becoming idle as a use of the connection',
    faults: () => ({
      call: inputs(({ activity, ...input }) => ({ ...input, ...(activity === 'idle' && { used: true }), activity })),
    }),
    caughtBy: 'a post with used: true makes its connection speak for its member',
    saying: /a post with activity: idle does not make its connection speak/,
  },
  {
    does: 'writes no tombstone for a connection that was never shown',
    faults: () => ({
      call: async (call, pass) => {
        if (call.procedure !== 'leaveRoom') return pass(call)
        return {
          status: 200,
          headers: { 'content-type': 'application/json' },
          body: '{"result":{"data":{"outcome":"left"}}}',
        }
      },
    }),
    caughtBy: 'a leave that overtakes the first post keeps the connection out',
    saying: /a leave may overtake the post/,
  },
  {
    does: 'ignores graceMs',
    faults: () => ({ call: inputs(({ graceMs: _graceMs, ...input }) => input) }),
    caughtBy: 'a newer post within the grace period undoes the leave, and viewers are told nothing',
    saying: /a leave with grace is answered leaving/,
  },
  {
    does: 'answers `same` instead of `expired`',
    faults: outcome('expired', 'same'),
    caughtBy: 'a connection whose lease expires is lost, and enters again with the next seq',
    saying: /an equal seq after the lease expired/,
  },
  {
    does: 'renews leases without posts',
    faults: () => ({ call: inputs((input) => (input['leaseMs'] ? { ...input, leaseMs: 15_000 } : input)) }),
    caughtBy: 'an open stream does not renew the lease',
    saying: /only posts renew a lease/,
  },
  {
    does: 'accepts inputs with unknown properties',
    faults: () => ({
      call: inputs(({ memberId: _a, connectionId: _b, at: _c, x: _d, ...input }) => input),
    }),
    caughtBy: 'an input with an unknown property is rejected',
    saying: /bad input is answered 400/,
  },
  {
    does: 'sends stack traces in its errors',
    faults: () => ({ call: answers((body) => body.replace('"data":{"code"', '"data":{"stack":"at x","code"')) }),
    caughtBy: 'a location that fails its schema is rejected',
    saying: /no error contains a stack trace/,
  },
  {
    does: 'counts connections instead of members',
    faults: () => ({
      call: answers((body, call) =>
        call.procedure === 'countMembers' ? body.replace('"members":2', '"members":3') : body,
      ),
    }),
    caughtBy: 'countMembers counts members, not connections',
    saying: /countMembers counts members/,
  },
]

test.concurrent.for(wrongs)(
  'the contract fails on a server that $does',
  { timeout: 60_000 },
  async ({ faults, caughtBy, saying }, { expect }) => {
    await using proxy = await faultProxy(server.url, faults())
    const target = { url: proxy.url, ...cells, timing: { ...targetTiming, patienceMs: 3_000 } }
    const found = locationContract(target).find(({ name }) => name === caughtBy)
    expect(found, caughtBy).toBeDefined()
    await expect(found!.run()).rejects.toThrow(saying)
  },
)

test('a correct server behind a pass-through proxy passes the contract', { timeout: 60_000 }, async () => {
  await using proxy = await faultProxy(server.url)
  const target = { url: proxy.url, ...cells, timing: targetTiming }
  for (const { caughtBy } of wrongs)
    await locationContract(target)
      .find(({ name }) => name === caughtBy)!
      .run()
})
