import { locationContract, serveLocations } from 'hereabouts/testing'
import { afterAll, test } from 'vitest'
import { faultProxy, type Call, type Faults, type Reply } from '../support/network/fault-proxy.js'
import { cells, fastTiming, targetTiming } from './target.js'

/*
 * Checks that the contract detects violations. Each server here has exactly one defect, and the case about that
 * behaviour must fail.
 */

const server = await serveLocations({ timing: fastTiming })
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
const isChanges = (event: string) => event.includes('"type":"changes"')

const wrongs: Wrong[] = [
  {
    does: 'begins without hello',
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
    caughtBy: 'a viewer sees enter, move and leave, each from the id they hold',
    saying: /changes\.from is the id that the viewer holds|only snapshot and changes advance/,
  },
  {
    does: 'replays an old frame',
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
    caughtBy: 'a viewer sees enter, move and leave, each from the id they hold',
    saying: /changes\.from is the id that the viewer holds/,
  },
  {
    does: 'forgets from',
    faults: () => ({ event: (event) => event.replace(/"from":"[^"]*",?/, '') }),
    caughtBy: 'many who post at once are all seen, in one order',
    saying: /changes\.from is the id that the viewer holds/,
  },
  {
    does: 'sends ids that do not move on',
    faults: () => ({ event: (event) => event.replace(/\nid: ([\w-]+)\.\d+\n/, '\nid: $1.1\n') }),
    caughtBy: 'a viewer sees enter, move and leave, each from the id they hold',
    saying: /versions only grow|changes\.from/,
  },
  {
    does: 'sends its own idea of a location',
    faults: () => ({ event: (event) => (isChanges(event) ? event.replace('"row":2', '"row":77') : event) }),
    caughtBy: 'a viewer sees enter, move and leave, each from the id they hold',
    saying: /changed holds the new location/,
  },
  {
    does: 'counts wrong in its beats',
    faults: () => ({ event: (event) => event.replace('"count":3', '"count":4') }),
    caughtBy: 'a beat says how many there are, and proves it',
    saying: /count and digest/,
  },
  {
    does: 'has a digest of its own',
    faults: () => ({ event: (event) => event.replace(/"digest":"\w/, '"digest":"z') }),
    caughtBy: 'a beat says how many there are, and proves it',
    saying: /count and digest/,
  },
  {
    does: 'sends no beats',
    faults: () => ({ event: (event) => (event.includes('"type":"beat"') ? '' : event) }),
    caughtBy: 'a beat comes again and again',
    saying: /a beat comes every beatMs/,
  },
  {
    does: 'forgets where a viewer was',
    faults: () => ({ open: (call) => ({ ...call, path: call.path.replace('lastEventId', 'connectionKey') }) }),
    caughtBy: 'one who missed nothing is told nothing',
    saying: /stream brings events|hello carries the id/,
  },
  {
    does: 'takes no Last-Event-ID header',
    faults: () => ({ open: ({ headers: { 'last-event-id': _id, ...headers }, ...call }) => ({ ...call, headers }) }),
    caughtBy: 'the id may come in the Last-Event-ID header, as a browser sends it',
    saying: /Last-Event-ID header resumes/,
  },
  {
    does: 'echoes the id it was given',
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
    caughtBy: 'garbage and forged ids bring a snapshot, never an error',
    saying: /epoch\.0|an id is epoch\.version/,
  },
  {
    does: 'answers stale as applied',
    faults: outcome('stale', 'applied'),
    caughtBy: 'a newer seq is applied, an equal one is the same, a lower one is stale',
    saying: /room rule 1/,
  },
  {
    does: 'takes every post for a new one',
    faults: () => ({ call: inputs(({ seq: _seq, ...input }) => input) }),
    caughtBy: 'what came too late is never shown',
    saying: /never sees a member jump back/,
  },
  {
    does: 'answers same as applied',
    faults: outcome('same', 'applied'),
    caughtBy: 'a post that says nothing new makes no frame, and counts',
    saying: /room rule 6/,
  },
  {
    does: 'writes no tombstone for one that was never shown',
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
    caughtBy: 'a leave that overtakes the only post holds',
    saying: /a leave may overtake the post/,
  },
  {
    does: 'leaves at once where grace was asked for',
    faults: () => ({ call: inputs(({ graceMs: _graceMs, ...input }) => input) }),
    caughtBy: 'until its grace is over, a leave shows nothing, and a newer post undoes it',
    saying: /a leave with grace answers leaving/,
  },
  {
    does: 'answers expired as same',
    faults: outcome('expired', 'same'),
    caughtBy: 'one who posts no more is lost, and comes back with the next seq',
    saying: /equal and lapsed is expired/,
  },
  {
    does: 'lets a stream keep its connection present',
    faults: () => ({ call: inputs((input) => (input['leaseMs'] ? { ...input, leaseMs: 15_000 } : input)) }),
    caughtBy: 'an open stream renews nothing',
    saying: /only posts renew a lease/,
  },
  {
    does: 'overlooks what it does not know',
    faults: () => ({
      call: inputs(({ memberId: _a, connectionId: _b, at: _c, x: _d, ...input }) => input),
    }),
    caughtBy: 'the envelope is strict: what is unknown is refused',
    saying: /bad input is 400/,
  },
  {
    does: 'shows its stack',
    faults: () => ({ call: answers((body) => body.replace('"data":{"code"', '"data":{"stack":"at x","code"')) }),
    caughtBy: 'a location that its schema refuses is refused',
    saying: /no stack leaves the server/,
  },
  {
    does: 'counts connections for members',
    faults: () => ({
      call: answers((body, call) =>
        call.procedure === 'countMembers' ? body.replace('"members":2', '"members":3') : body,
      ),
    }),
    caughtBy: 'countMembers counts people, not their connections',
    saying: /countMembers counts members/,
  },
]

test.concurrent.for(wrongs)(
  'a server that $does is caught',
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
