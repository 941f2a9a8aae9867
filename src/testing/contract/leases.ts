import { demand, passing } from './demand.js'
import { Viewer } from './viewer.js'
import { newKey, type Wire } from './http-client.js'

/** How long a connection stays without posting (room rules 1 and 7). */
export const leaseCases = {
  async 'one who posts no more is lost, and comes back with the next seq'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { leaseMinMs, patienceMs } = wire.timing
    await using viewer = await Viewer.see(wire, { room })
    const { connectionId } = await wire.post({ room, connectionKey, seq: 3, leaseMs: leaseMinMs })
    await viewer.change()
    const { event } = await viewer.change(leaseMinMs + patienceMs, 'room rule 7: a lease that is not renewed ends.')
    const left = event.type === 'changes' ? event.left?.[0] : undefined
    demand(left?.connectionId === connectionId && left.reason === 'lost', 'room rule 7: a lapsed lease is lost.', event)
    const late = [2, 3].map((seq) => wire.post({ room, connectionKey, seq }))
    const [lower, equal] = await Promise.all(late)
    demand(equal!.outcome === 'expired', 'room rule 1: equal and lapsed is expired.', equal)
    demand(equal!.seq === 3, 'a reply carries the seq that is stored.', equal)
    demand(lower!.outcome === 'stale', 'room rule 1: lower is stale, lapsed or not.', lower)
    const back = await wire.post({ room, connectionKey, seq: 4 })
    demand(back.outcome === 'applied', 'room rule 1: post again with seq + 1.', back)
    const again = await viewer.change()
    const isBack = again.event.type === 'changes' && again.event.entered?.[0]?.connectionId === connectionId
    demand(isBack, 'one who was lost and is back has entered.', again)
  },

  async 'an equal post renews the lease'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { leaseMinMs } = wire.timing
    const post = { room, connectionKey, seq: 1, leaseMs: leaseMinMs }
    await wire.post(post)
    const outcomes = new Set<string>()
    for (let i = 0; i < 10; i++) {
      await passing(leaseMinMs / 5)
      outcomes.add((await wire.post(post)).outcome)
    }
    const seen = [...outcomes]
    demand(seen.length === 1 && seen[0] === 'same', 'room rule 1: equal and live is same, and renews the lease.', seen)
  },

  async 'an open stream renews nothing'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { leaseMinMs, patienceMs } = wire.timing
    await using own = await Viewer.see(wire, { room, connectionKey })
    const { connectionId } = await wire.post({ room, connectionKey, seq: 1, leaseMs: leaseMinMs })
    await own.until('a post is shown.', () => own.get(connectionId) !== undefined, patienceMs)
    await own.until('room rule 7: only posts renew a lease.', () => !own.get(connectionId), leaseMinMs + patienceMs)
  },

  async 'a stream that its peer closes shortens the lease'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { leaseMaxMs, closedMs, patienceMs } = wire.timing
    const own = await Viewer.see(wire, { room, connectionKey })
    const { connectionId } = await wire.post({ room, connectionKey, seq: 1, leaseMs: leaseMaxMs })
    await using viewer = await Viewer.see(wire, { room })
    own.stream.close()
    const rule = 'room rule 7: when the peer closes its stream, 15 seconds of the lease remain.'
    await viewer.until(rule, () => !viewer.get(connectionId), closedMs + patienceMs)
  },

  async 'a stream that only watches ends nobody'(wire: Wire) {
    const room = wire.newRoom()
    const { closedMs, leaseMaxMs } = wire.timing
    const { connectionId } = await wire.post({ room, connectionKey: newKey(), seq: 1, leaseMs: leaseMaxMs })
    const watching = await Viewer.see(wire, { room })
    watching.stream.close()
    await passing(1.5 * closedMs)
    await using viewer = await Viewer.see(wire, { room })
    demand(viewer.get(connectionId), 'a stream without a key has nobody to end.', viewer.connections)
  },
}
