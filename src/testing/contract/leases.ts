import { demand, passing } from './demand.js'
import { Viewer } from './viewer.js'
import { newKey, type Wire } from './http-client.js'

/** Cases about the time for which a connection stays present without posting (room rules 1 and 7). */
export const leaseCases = {
  async 'a connection whose lease expires is lost, and enters again with the next seq'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { leaseMinMs, patienceMs } = wire.timing
    await using viewer = await Viewer.see(wire, { room })
    const { connectionId } = await wire.post({ room, connectionKey, seq: 3, leaseMs: leaseMinMs })
    await viewer.change()
    const { event } = await viewer.change(leaseMinMs + patienceMs, 'room rule 7: a lease that is not renewed expires.')
    const left = event.type === 'changes' ? event.left?.[0] : undefined
    demand(
      left?.connectionId === connectionId && left.reason === 'lost',
      'room rule 7: a connection whose lease expired has left with the reason lost.',
      event,
    )
    const late = [2, 3].map((seq) => wire.post({ room, connectionKey, seq }))
    const [lower, equal] = await Promise.all(late)
    demand(
      equal!.outcome === 'expired',
      'room rule 1: an equal seq after the lease expired is answered expired.',
      equal,
    )
    demand(equal!.seq === 3, 'a reply carries the stored seq.', equal)
    demand(
      lower!.outcome === 'stale',
      'room rule 1: a lower seq is answered stale, whether the lease expired or not.',
      lower,
    )
    const back = await wire.post({ room, connectionKey, seq: 4 })
    demand(back.outcome === 'applied', 'room rule 1: after expired, a post with seq + 1 is applied.', back)
    const again = await viewer.change()
    const isBack = again.event.type === 'changes' && again.event.entered?.[0]?.connectionId === connectionId
    demand(isBack, 'a lost connection that posts again is in entered.', again)
  },

  async 'a post with an equal seq renews the lease'(wire: Wire) {
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
    demand(
      seen.length === 1 && seen[0] === 'same',
      'room rule 1: an equal seq of a present connection is answered same and renews the lease.',
      seen,
    )
  },

  async 'an open stream does not renew the lease'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { leaseMinMs, patienceMs } = wire.timing
    await using own = await Viewer.see(wire, { room, connectionKey })
    const { connectionId } = await wire.post({ room, connectionKey, seq: 1, leaseMs: leaseMinMs })
    await own.until('a viewer is shown the post.', () => own.get(connectionId) !== undefined, patienceMs)
    await own.until('room rule 7: only posts renew a lease.', () => !own.get(connectionId), leaseMinMs + patienceMs)
  },

  async 'the lease of a connection is shortened when the client closes a stream with its key'(wire: Wire) {
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

  async 'closing a stream without a key shortens no lease'(wire: Wire) {
    const room = wire.newRoom()
    const { closedMs, leaseMaxMs } = wire.timing
    const { connectionId } = await wire.post({ room, connectionKey: newKey(), seq: 1, leaseMs: leaseMaxMs })
    const watching = await Viewer.see(wire, { room })
    watching.stream.close()
    await passing(1.5 * closedMs)
    await using viewer = await Viewer.see(wire, { room })
    demand(viewer.get(connectionId), 'closing a stream without a key shortens no lease.', viewer.connections)
  },
}
